"""The part of the demo that compares and reports: ``comparison.png``, ``report.json`` and a table."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from image_to_3d.io.photo import load_photo

COVERED_ALPHA = 0.5


def main(job: dict) -> int:
    """Always 0; what fails raises."""
    output, work = Path(job["output"]), Path(job["work"])
    facts = json.loads((work / "facts.json").read_text())
    coverage, difference = _compare(job, output)
    seconds = {**json.loads((work / "seconds.json").read_text()), **facts["seconds"]}
    names = {"blend": "scene.blend", "ply": "scene.ply", "render": "render.png", "comparison": "comparison.png"}
    files = {key: str(output / name) for key, name in names.items()}
    report = {
        "photo": job["photo"],
        "engine": facts["engine"],
        "blender": facts["blender"],
        "gaussians": facts["gaussians"],
        "focal": facts["focal"],
        "extent_m": facts["extent_m"],
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "lengths": facts["lengths"],
        "coverage": coverage,
        "mean_abs_difference": difference,
        "warnings": facts["warnings"],
        "files": files,
    }
    (output / "report.json").write_text(json.dumps(report, indent=1))
    _print(report, output)
    return 0


def _compare(job: dict, output: Path) -> tuple[float, float]:
    """(covered share, mean absolute 8-bit difference of covered pixels) of Blender's render against the photo."""
    photo = load_photo(job["photo"]).pixels.astype(np.float64)
    render = np.asarray(Image.open(output / "render.png").convert("RGBA"), np.float64)
    covered = render[..., 3] >= 255 * COVERED_ALPHA
    difference = np.abs(render[..., :3] - photo)
    mean = float(difference[covered].mean()) if covered.any() else float("nan")
    amplified = np.where(covered[..., None], np.clip(4 * difference, 0, 255), 40)
    pictures = [photo, render[..., :3] * (render[..., 3:] / 255), amplified]
    small = [Image.fromarray(p.astype(np.uint8)) for p in pictures]
    for picture in small:
        picture.thumbnail((640, 640))
    sheet = Image.new("RGB", (sum(p.width for p in small), small[0].height))
    for i, picture in enumerate(small):
        sheet.paste(picture, (i * small[0].width, 0))
    sheet.save(output / "comparison.png")
    return float(covered.mean()), mean


def _print(report: dict, output: Path) -> None:
    print(f"{report['gaussians']:,} Gaussians by {report['engine']} in Blender {report['blender']}")
    focal = report["focal"]
    print(f"  focal length {focal['mm35']:.1f} mm (35 mm equivalent), source: {focal['source']}")
    for warning in report["warnings"]:
        print(f"  {warning}")
    if report["lengths"]:
        print(f"  {'length':<22}{'true':>9}{'measured':>11}{'error':>9}")
        for row in report["lengths"]:
            print(
                f"  {row['name']:<22}{row['true_m']:>7.3f} m{row['measured_m']:>9.3f} m{row['error_percent']:>+8.2f}%"
            )
    print(
        f"  covered {report['coverage']:.1%} of the photo, mean difference there {report['mean_abs_difference']:.1f} of 255"
    )
    print("  " + ", ".join(f"{name} {value:.1f} s" for name, value in report["seconds"].items()))
    print(
        f"  in {output}: scene.blend, scene.ply, render.png, comparison.png (photo, render, 4 × difference), report.json"
    )


if __name__ == "__main__":
    sys.exit(main(json.loads(Path(sys.argv[1]).read_text())))
