"""Weights of networks and their licences."""

from __future__ import annotations

from .table import Words

WORDS = {
    "weights.absent": Words(
        "The weights of {name} are not here.",
        "{hint}",
        blender="Press Get Weights….",
        web="Get them first, or choose another engine.",
    ),
    "weights.built_in_missing": Words(
        "The weights of the built-in engine are not at {path}.", "Install the package again."
    ),
    "weights.built_in_tensors_wrong": Words(
        "{path} lacks or has unknown tensors: {wrong}.", "Install the package again."
    ),
    "weights.built_in_unreadable": Words(
        "{path} is not a weights file of the engine lite ({why}).", "Install the package again."
    ),
    "weights.changed_on_disk": Words(
        "{path} is not the file it was when it was first used: its SHA-256 differs.",
        "Remove it and fetch it again.",
        cli="Fetch it again: image-to-3d weights remove {file_name}, then image-to-3d weights fetch {file_name}.",
        blender="Press Get Weights….",
    ),
    "weights.checkpoint_not_found": Words(
        "There is no checkpoint {path}.", "Check the path.", cli="Check the path, or run image-to-3d weights list."
    ),
    "weights.checkpoint_unusable": Words(
        "The checkpoint {path} cannot be used: {why}.",
        "Choose the right file, or fetch it again.",
        cli="Choose the right file, or delete it and fetch it again: image-to-3d weights fetch {engine}",
        blender="Press Get Weights…, or choose the right file where the backend is started.",
    ),
    "weights.download_broken_off": Words(
        "The download broke off again and again ({interruption}).",
        "Run the same command again; it goes on from where it stopped.",
    ),
    "weights.download_wrong": Words("What {host} sent is not the file. {why}", "Try again later."),
    "weights.given_checkpoint_not_found": Words(
        "There is no checkpoint {path}{where}.", "Check the path for a typing error."
    ),
    "weights.licence_not_accepted": Words(
        "The licence of the weights of {name} was not accepted.",
        "Read it and accept it.",
        cli="Read it and accept it: image-to-3d weights fetch {name}.",
        blender="Press Get Weights…, which shows it.",
    ),
    "weights.licence_not_accepted_now": Words(
        "The licence was not accepted; nothing was fetched.",
        "Read the terms and accept them.",
        cli="Type yes when asked, or use --accept-licence.",
    ),
    "weights.licence_not_ticked": Words(
        "The licence was not accepted; nothing was fetched.", "Read the terms and tick the box if you accept them."
    ),
    "weights.missing": Words(
        "The weights of {args_name} are not here.",
        "Get them first.",
        cli="Get them with: image-to-3d weights fetch {args_name}",
        blender="Press Get Weights….",
    ),
    "weights.no_room": Words(
        "{place} has {free:.1f} GB left; the weights need {needed:.1f} GB more.",
        "Make room, or set IMAGE_TO_3D_HOME to a folder on a larger disk.",
    ),
    "weights.not_a_sharp_checkpoint": Words(
        "This file is no SHARP checkpoint: the tensor {name} is {what}.", "Choose the file sharp_2572gikvuh.pt."
    ),
    "weights.server_refused": Words(
        "{host} answered {error_code} {the_reason}.", "Get {file_name} elsewhere and put it into {folder}."
    ),
    "weights.server_unreachable": Words(
        "{host} cannot be reached: {the_reason}.", "Check the network, or put {file_name} into {folder} by hand."
    ),
    "weights.sharp_tensors_differ": Words(
        "The tensors of this checkpoint are not those of SHARP; {problems}.",
        "Fetch it again.",
        cli="Fetch it again: image-to-3d weights fetch sharp.",
        blender="Press Get Weights….",
    ),
    "weights.sharp_tensors_misfit": Words(
        "The tensors of this checkpoint do not form a SHARP network: {why}.", "Choose the file sharp_2572gikvuh.pt."
    ),
    "weights.target_not_writable": Words(
        "{target} cannot be written: {why}.", "Check the free space and the permissions of the folder."
    ),
    "weights.unknown_name": Words("There are no weights called {name!r}.", "Choose one of: {weights}."),
    "weights.unusable": Words(
        "The weights of {name} cannot be used.",
        "{hint}",
        blender="Press Get Weights….",
        web="Get them again, or choose another engine.",
    ),
}
