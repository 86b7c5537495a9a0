"""The page: what a person sees and presses. Needs Gradio."""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from ..catalogue import STAGES
from ..engines.registry import EngineReadiness
from ..file_kinds import DEPTHS, suffixes
from .worker import PhotoFiles, PhotoRequest, PredictionWorker, RunningRequest

TITLE = "Image to 3D"
VIEWER_HEIGHT = 520
_WAIT_SECONDS = 0.25
_STYLE = """
.image-to-3d-status progress { width: 100%; height: 1.2em; }
.image-to-3d-status .failure { border-left: 4px solid #c33; padding-left: .7em; }
.image-to-3d-status .warning { border-left: 4px solid #c90; padding-left: .7em; margin: .4em 0; }
.image-to-3d-viewer iframe { width: 100%; border: 0; border-radius: 6px; display: block; }
"""
THEME = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
"""With the computer's own fonts: the default ones would be asked for elsewhere."""


def engine_choices(states: list[EngineReadiness]) -> list[tuple[str, str]]:
    """(words, name) of every engine, with what keeps it from running."""
    choices = [("Automatic: the best one that is ready", "auto")]
    for state in states:
        why = "" if state.state == "ready" else f" ({state.state.replace('_', ' ')})"
        choices.append((f"{state.info.name}: {state.info.summary}{why}", state.info.name))
    return choices


def build(worker: PredictionWorker, engine: str = "auto") -> gr.Blocks:
    """The page.

    Args:
        worker: makes the results.
        engine: chosen at first.
    """
    running: dict[str, RunningRequest] = {}

    def start(
        photo: str | None,
        chosen: str,
        mm35: float | None,
        depth: str | None,
        fill: bool,
        legend: bool,
        request: gr.Request,
    ) -> Iterator[tuple[Any, ...]]:
        if photo is None:
            yield _status("Drop a photo first."), gr.skip(), gr.skip(), gr.skip(), _idle()
            return
        session = str(request.session_hash)
        if session in running:
            running[session].cancel()
        wanted = PhotoRequest(Path(photo), chosen, mm35 or None, Path(depth) if depth else None, fill, legend)
        current = running[session] = RunningRequest(worker, wanted)
        try:
            while not current.wait(_WAIT_SECONDS):
                yield _progress(current), gr.skip(), gr.skip(), gr.skip(), gr.update(interactive=True)
        finally:
            current.cancel()  # nobody is listening any more, or it has ended
            if running.get(session) is current:
                del running[session]
        if current.files is not None:
            files = current.files
            yield _outcome(files), str(files.heat_map), _viewer(files), gr.update(value=str(files.ply)), _idle()
        elif current.failure is not None:
            yield _failure(*current.failure.words("web")), gr.skip(), gr.skip(), gr.skip(), _idle()
        else:
            yield _status("Cancelled."), gr.skip(), gr.skip(), gr.skip(), _idle()

    def stop(request: gr.Request) -> None:
        current = running.get(str(request.session_hash))
        if current is not None:
            current.cancel()

    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(3600, 24 * 3600)) as page:
        gr.Markdown(
            f"# {TITLE}\nDrop a photo: heat map, a scene that can be turned, and a PLY file. Nothing leaves this computer."
        )
        with gr.Row():
            with gr.Column(scale=1):
                photo = gr.Image(
                    label="Photo", type="filepath", image_mode=None, sources=["upload", "clipboard"], height=300,
                    elem_id="photo",
                )  # fmt: skip
                with gr.Row():
                    make = gr.Button("Make 3D", variant="primary", elem_id="make")
                    cancel = gr.Button("Cancel", interactive=False, elem_id="cancel")
                status = gr.HTML(_status("Drop a photo."), elem_id="status", elem_classes="image-to-3d-status")
                chosen = gr.Dropdown(
                    engine_choices(worker.pool.states()), value=engine, label="Engine", elem_id="engine"
                )
                mm35 = gr.Number(
                    label="Focal length, mm (35 mm equivalent)", info="0: what the camera wrote into the photo",
                    value=0, minimum=0, maximum=2000, elem_id="focal",
                )  # fmt: skip
                fill = gr.Checkbox(value=True, label="Fill behind edges (invented, marked in the PLY)", elem_id="fill")
                legend = gr.Checkbox(value=True, label="Scale beside the heat map", elem_id="legend")
                with gr.Accordion("Depth file of the same view (optional)", open=False):
                    depth = gr.File(
                        file_types=list(suffixes(DEPTHS)), show_label=False, height=140,
                        elem_id="depth",
                    )  # fmt: skip
            with gr.Column(scale=2):
                viewer = gr.HTML(_frame(None), elem_id="viewer", elem_classes="image-to-3d-viewer")
                with gr.Row():
                    heat = gr.Image(
                        label="Depth, near is bright",
                        interactive=False,
                        format="png",
                        buttons=["download", "fullscreen"],
                        elem_id="heat",
                    )
                    ply = gr.File(label="PLY of Gaussians", interactive=False, elem_id="ply")
        gr.on(
            [make.click, photo.upload],
            start,
            [photo, chosen, mm35, depth, fill, legend],
            [status, heat, viewer, ply, cancel],
            trigger_mode="always_last",
            concurrency_limit=4,
            show_progress="hidden",
            api_name=False,
        )
        cancel.click(stop, queue=False, show_progress="hidden", api_name=False)
        page.unload(stop)
    return page


def _idle() -> Any:
    return gr.update(interactive=False)


def _status(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"


def _progress(current: RunningRequest) -> str:
    words = html.escape(STAGES.get(current.stage, current.stage[:1].upper() + current.stage[1:]))
    return f'<p>{words} · {current.fraction:.0%}</p><progress max="1" value="{current.fraction:.3f}"></progress>'


def _outcome(files: PhotoFiles) -> str:
    facts = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in files.sentences)
    return facts + "".join(f'<p class="warning">{html.escape(warning)}</p>' for warning in files.warnings)


def _failure(message: str, hint: str) -> str:
    return f'<div class="failure"><p>{html.escape(message)}</p><p>{html.escape(hint)}</p></div>'


def _viewer(files: PhotoFiles) -> str:
    return _frame(files.name)


def _frame(name: str | None) -> str:
    query = f"?scene={name}" if name else ""
    return f'<iframe title="3D view" src="/viewer/index.html{query}" height="{VIEWER_HEIGHT}"></iframe>'


STYLE = _STYLE
