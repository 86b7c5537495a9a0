"""Engines."""

from __future__ import annotations

from .table import Words

WORDS = {
    "engines.device_absent": Words(
        "This PyTorch ({version}) sees no {name} device.",
        "Install the PyTorch build for your graphics card, or let the device be chosen.",
        cli="Use --device auto, or install the PyTorch build for your graphics card.",
    ),
    "engines.failed": Words(
        "The engine failed: {name}: {why}.", "Try another engine; the backend's log has the details."
    ),
    "engines.failed_on_photo": Words("The engine failed on this photo: {name}: {why}.", "{hint}"),
    "engines.no_camera": Words("The backend sent no camera.", "Update the backend."),
    "engines.no_depth_found": Words("The engine found no depth in this photo.", "Try another engine."),
    "engines.no_depth_map": Words("This engine gives no picture of depth.", "Choose another engine."),
    "engines.no_depth_picture": Words("The engine gave no picture of depth.", "Try another engine."),
    "engines.no_memory": Words(
        "There is not enough free memory for {info_name}.",
        "Close other programs, or use midas-small, which is content with 300 MB.",
    ),
    "engines.no_points": Words("The engine returned no points.", "Try another photo or engine."),
    "engines.none_ready": Words(
        "No engine can make depth from a bare photo yet.",
        "{hint}",
        blender="Press Get Weights…, or choose a depth file.",
        web="Give a depth file, or get the weights of an engine first.",
    ),
    "engines.not_finite": Words(
        "The network gave values that are not numbers.",
        "The checkpoint may be damaged: fetch it again.",
        cli="Verify the checkpoint: image-to-3d weights verify {info_name}.",
        blender="Press Get Weights… to fetch the checkpoint again.",
    ),
    "engines.not_loadable": Words(
        "The engine {name} cannot be loaded: {why}.",
        "Install the backend again.",
        cli="Install what it needs: pip install torch torchvision timm",
        blender="Press Repair under Backend.",
    ),
    "engines.nothing_but_sky": Words(
        "The built-in engine sees nothing but sky in this photo.",
        "Take a photo that shows the place, or use another engine.",
    ),
    "engines.sharp_no_gpu_memory": Words(
        "The graphics card has not enough free memory for SHARP, not even in half precision.",
        "Close other programs that use the card, or let the processor do it.",
        cli="Close other programs that use the card, or use --device cpu.",
        blender="Close other programs that use the card, or choose another engine.",
    ),
    "engines.sharp_no_memory": Words(
        "There is not enough free memory for SHARP: it needs about 6 GB, in half precision about 4 GB.",
        "Close other programs, or choose another engine.",
        cli="Close other programs, or use --precision bf16.",
    ),
    "engines.sharp_not_finite": Words(
        "The network gave values that are not numbers.",
        "The checkpoint may be damaged: fetch it again.",
        cli="Verify the checkpoint: image-to-3d weights verify sharp.",
        blender="Press Get Weights… to fetch the checkpoint again.",
    ),
    "engines.timm_broken": Words(
        "timm, which holds the Vision Transformers, cannot be imported: {text}.",
        "Install torch, torchvision and timm again, together.",
        cli="Reinstall torch, torchvision and timm together: pip install --upgrade torch torchvision timm.",
        blender="Press Repair under Backend.",
    ),
    "engines.unknown_device": Words("There is no device named {name!r}.", "Choose auto, cuda, mps or cpu."),
    "engines.unknown_name": Words("There is no engine called {name!r}.", "Choose one of: {engines}."),
    "engines.unknown_precision": Words("There is no precision {name!r}.", "Choose auto, fp32, bf16 or fp16."),
    "engines.overflowed": Words("{precision} overflowed on this photo; it was done again in fp32."),
    "engines.lower_precision": Words("Memory ran out in fp32; the network runs in {precision}."),
    "engines.no_fp16_on_cpu": Words("fp16 is not for CPUs; the network runs in fp32."),
    "engines.not_metric": Words(
        "Not metric: calibrate with one or two known lengths. Assumed: {assumption}.",
    ),
    "engines.research_only": Words(
        "Apple's weights are for non-commercial research only.",
        "Fetch them to note that you accept their licence.",
        cli="To note that you accept their licence: image-to-3d weights fetch sharp",
        blender="Press Get Weights… to note that you accept their licence.",
    ),
    "engines.approximate_scale": Words(
        "Built-in engine, approximate scale: one known length makes it right (calibrate).",
        "The engine sharp sees more; its licence is for research only.",
        cli="The engine sharp sees more (image-to-3d weights fetch sharp; its licence is for research only).",
    ),
}
