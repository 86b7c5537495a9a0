"""The backend: finding, starting and asking it, keys, what it refuses."""

from __future__ import annotations

from .table import Words

WORDS = {
    "backend.address_malformed": Words("{address!r} is not an address.", "{hint}"),
    "backend.address_missing": Words(
        "The address of the other computer is missing.",
        "Write it in the extension's preferences, or choose this computer.",
    ),
    "backend.address_unusable": Words("The address {address} cannot be used: {why}.", "{hint}"),
    "backend.already_running": Words(
        "The backend is already running{where}.",
        "Use it, or stop it first.",
        cli="Use it, or stop it with: image-to-3d stop",
    ),
    "backend.answer_unusable": Words(
        "The backend's answer cannot be used: {why}.", "Use an add-on and a backend of the same version."
    ),
    "backend.busy": Words("The backend is busy: {count} photos are waiting.", "Try again in a few minutes."),
    "backend.client_list_damaged": Words(
        "The list of authorised clients {path} is damaged.", "Delete it and authorise the clients again."
    ),
    "backend.client_list_writable": Words(
        "Other users can change the list of authorised clients {path}.",
        "Check what is in it and run: chmod 600 '{path}'",
    ),
    "backend.client_not_authorised": Words(
        "{the_key!r} is not authorised.",
        "Look into the list of authorised clients.",
        cli="See: image-to-3d authorise list",
    ),
    "backend.client_revoked": Words(
        "This client is no longer authorised.",
        "Authorise it on the backend's computer again.",
        cli="On the backend's machine run: image-to-3d authorise {the_key}",
    ),
    "backend.client_unknown": Words(
        "The backend does not know this client.",
        "Authorise it on the backend's computer.",
        cli="On its machine run: image-to-3d authorise {public}",
    ),
    "backend.cloud_invalid": Words("The backend's answer cannot be used: {why}.", "Update the add-on and the backend."),
    "backend.command_not_runnable": Words("The backend's command {where} cannot be run: {text}.", "{hint}"),
    "backend.connection_failed": Words(
        "The connection failed: {why}.",
        "Start the backend and try again.",
        cli="Start the backend (image-to-3d serve) and try again.",
    ),
    "backend.does_not_stop": Words("The backend does not stop.", "End the process {pid}, or restart the computer."),
    "backend.ended_while_starting": Words(
        "The backend stopped while it was starting (exit code {returncode}).", "{last}"
    ),
    "backend.ended_silently": Words(
        "The backend stopped while it was starting (exit code {returncode}).", "Its log is in {log_folder}."
    ),
    "backend.engine_process_ended": Words(
        "The engine's process ended unexpectedly, probably for lack of memory.",
        "Close other programs or take a smaller engine, then try again; the backend itself keeps running.",
    ),
    "backend.gpu_failed": Words(
        "The graphics card reported an error and is being set up again.",
        "Try again in a moment; if it happens again, update its driver.",
        cli="Try again in a moment; if it happens again, update its driver or use the CPU (--device cpu).",
    ),
    "backend.idle_exit_not_positive": Words("--idle-exit takes a positive number of minutes."),
    "backend.idle_unload_not_a_number": Words("--idle-unload takes a number of minutes, or 0."),
    "backend.incompatible": Words(
        "The other side speaks protocol version {peer}, this one version {own}.",
        "Update the older of the add-on and the backend.",
    ),
    "backend.installation_damaged": Words(
        "The installed backend is damaged, or the Python that it was made with is gone.", "Press Repair."
    ),
    "backend.installation_incomplete": Words(
        "The backend is not completely installed.", "Press Resume: what was fetched is used."
    ),
    "backend.internal": Words("Internal error in the backend.", "Its log has the details; please report it."),
    "backend.key_file_damaged": Words(
        "The key file {path} is damaged.", "Delete it; a new key is made at the next start."
    ),
    "backend.key_file_readable": Words(
        "Other users can read the key file {path}.",
        "Make it readable by you alone: chmod 600 '{path}'",
        cli="Run: chmod 600 '{path}'",
    ),
    "backend.lost": Words(
        "The connection to the backend was lost.",
        "Start the backend and try again.",
        cli="Start the backend (image-to-3d serve) and try again.",
    ),
    "backend.message_malformed": Words(
        "The message cannot be understood: {why}.", "Use an add-on and a backend of the same version."
    ),
    "backend.no_answer_in_time": Words(
        "The backend did not answer in time.",
        "Start the backend and try again.",
        cli="Start the backend (image-to-3d serve) and try again.",
    ),
    "backend.no_memory": Words("There is not enough memory for this {what}.", "{hint}"),
    "backend.no_room_for_arrays": Words(
        "The backend cannot keep the arrays in {folder}: {why}.", "Free some space on that disk and try again."
    ),
    "backend.not_a_key": Words(
        "{the_key!r} is not a public key.",
        "A key has 40 characters; the client's panel shows it.",
        cli="A key has 40 characters; the client's panel and 'image-to-3d authorise list' show it.",
    ),
    "backend.not_for_control_socket": Words("A {type} request does not belong on the control socket."),
    "backend.not_for_frame_socket": Words("A {type} request does not belong on the frame socket."),
    "backend.not_installed": Words(
        "The backend is not installed on this computer.",
        "Press Install Backend, or choose one on another computer in the preferences.",
    ),
    "backend.not_running": Words(
        "The backend is not running.",
        "Start the backend and try again.",
        cli="Start the backend (image-to-3d serve) and try again.",
    ),
    "backend.not_startable": Words("The backend cannot be started: {why}.", "The command was: {command}"),
    "backend.nothing_listens": Words(
        "No backend is listening at {control}.",
        "Start the backend and try again.",
        cli="Start the backend (image-to-3d serve) and try again.",
    ),
    "backend.offline_install": Words(
        "Blender may not use the network.",
        "Allow online access, or install with the command that Copy as a Command gives.",
    ),
    "backend.offline_mode": Words(
        "Blender may not use the network.", "Blender was started with --offline-mode; start it without that option."
    ),
    "backend.offline_remote": Words(
        "Blender may not use the network.",
        "Allow Online Access in Preferences › System to use a backend on another computer.",
    ),
    "backend.offline_weights": Words("Blender may not use the network.", "Allow online access to fetch weights."),
    "backend.one_key_at_a_time": Words("One key at a time.", "A key has no spaces; put it in quotes."),
    "backend.picture_superseded": Words("A newer picture was asked for."),
    "backend.picture_unreadable": Words("The picture cannot be read: {why}."),
    "backend.renderer_process_ended": Words(
        "The renderer's process ended unexpectedly, probably for lack of memory.",
        "It is started again; close other programs if this repeats.",
    ),
    "backend.request_without_photo": Words("The request brings no photo.", "Choose an image."),
    "backend.scene_arrays_differ": Words(
        "The arrays of the scene differ in length.", "Give every Gaussian all its values."
    ),
    "backend.scene_dropped": Words(
        "The backend no longer holds this scene.", "It is sent again by itself; wait a moment."
    ),
    "backend.server_key_malformed": Words(
        "The server key in the preferences is not a key.",
        "Copy the 40 characters that the backend shows on the other computer.",
    ),
    "backend.settings_changed": Words("The connection settings have changed.", "It is tried again."),
    "backend.silent": Words(
        "The backend does not answer.",
        "Start the backend and try again.",
        cli="Start the backend (image-to-3d serve) and try again.",
    ),
    "backend.silent_at": Words(
        "The backend at {control} does not answer.",
        "Start the backend and try again.",
        cli="Start the backend (image-to-3d serve) and try again.",
    ),
    "backend.start_timed_out": Words(
        "The backend did not start within {start_seconds:.0f} seconds.", "Its log is in {log_folder}."
    ),
    "backend.still_running_after_stop": Words(
        "The backend was told to stop but still runs.", "End the process {pid} by hand."
    ),
    "backend.stop_not_allowed": Words(
        "Only the account that runs the backend can stop it.",
        "Stop it on its computer.",
        cli="On its machine run: image-to-3d stop",
    ),
    "backend.stopping": Words("The backend is stopping.", "Start it again and repeat the request."),
    "backend.stranger_listens": Words(
        "The server at {control} is not an Image to 3D backend.",
        "Start the backend and try again.",
        cli="Start the backend (image-to-3d serve) and try again.",
    ),
    "backend.too_many_pictures": Words(
        "{limit} pictures of this client are waiting.", "Wait for one before asking for the next."
    ),
    "backend.transport_not_encrypted": Words(
        "The backend does not listen at {address}: {scheme} connections cannot be encrypted and authorised.", "{hint}"
    ),
    "backend.typed_address_malformed": Words(
        "{address} is not an address.", "Write host and port with a colon, e.g. studio:5555."
    ),
    "backend.unexpected_answer": Words("The backend gave an unexpected answer.", "Update the add-on and the backend."),
    "backend.which_client": Words(
        "Which client?", "Give its key.", cli="Give its key: image-to-3d authorise revoke KEY"
    ),
    "backend.worker_crash_looping": Words(
        "A process of the backend ends as soon as it is started.",
        "The backend's log has the details.",
        cli="Run: image-to-3d doctor; the backend's log has the details.",
        blender="Press Copy Log under Backend and look at its end.",
    ),
}
