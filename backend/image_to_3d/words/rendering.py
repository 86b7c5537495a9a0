"""Pictures and films."""

from __future__ import annotations

from .table import Words

WORDS = {
    "rendering.blender_too_old": Words(
        "Objects and splats in one picture need Blender 4.5 or later.",
        "Update Blender, or render both by themselves and merge them by depth.",
    ),
    "rendering.failed": Words(
        "The renderer failed: {name}: {why}.", "The backend's log has the details; please report it."
    ),
    "rendering.ffmpeg_failed": Words(
        "ffmpeg could not write {path}{last}.", "Check the free space, or write a PNG sequence instead."
    ),
    "rendering.ffmpeg_missing": Words(
        "Writing MP4 needs the imageio-ffmpeg package.", "Install it with: pip install 'image-to-3d[video]'."
    ),
    "rendering.frames_differ_in_size": Words(
        "The frames of the camera path differ in size, which a film cannot have.",
        "Choose one size, or write PNG pictures.",
        cli="Give one with --size, or write png.",
    ),
    "rendering.frames_with_camera_path": Words(
        "A camera path has its own number of frames.",
        "Name a trajectory to choose a number of frames.",
        cli="Leave --frames out, or name a trajectory.",
    ),
    "rendering.gpu_memory_full": Words(
        "The scene does not fit into the memory of the GPU.",
        "Render a smaller picture, or close other programs on the GPU.",
        cli="Render a smaller picture, close other programs on the GPU, or use --renderer cpu.",
    ),
    "rendering.gsplat_unavailable": Words(
        "gsplat cannot be used: {why}.", "Render on the CPU.", cli="Render on the CPU with --renderer cpu."
    ),
    "rendering.move_impossible": Words(
        "The camera move {name} cannot be made: {why}.",
        "Choose a camera path that looks at the scene.",
        cli="Give a camera path that looks at the scene (--trajectory FILE.json).",
    ),
    "rendering.no_photo_shown": Words("The scene shows no photo.", "Make one, or show the one that is hidden."),
    "rendering.picture_impossible": Words("This picture cannot be drawn: {why}."),
    "rendering.splats_scene": Words(
        "{scene_name} holds only the splats of a final picture.", "Go to the scene that it was made from."
    ),
    "rendering.unknown_renderer": Words("There is no renderer {name!r}.", "There are {renderers}."),
}
