"""Measuring."""

WORDS = {
    "Measure": "测量",
    "The engine's own metres, ± {percent:.0f} %": "引擎自身的米制尺寸，± {percent:.0f} %",
    "Not calibrated, ± {percent:.0f} %": "未校准，± {percent:.0f} %",
    "Calibrated, ± {percent:.1f} %": "已校准，± {percent:.1f} %",
    "{0} has no picture grid, so it cannot be measured.": "{0} 没有图像网格，无法测量。",
    "Measure a photo, or a PLY file made from one photo. If it is an older file, press Update.": "请测量照片，或由单张照片生成的 PLY 文件。若是较早的文件，请按更新。",
}
