"""Files of Gaussian splats."""

WORDS = {
    "Gaussian splats (.ply, .splat, .spz)": "高斯泼溅 (.ply, .splat, .spz)",
    "Import Gaussian Splats": "导入高斯泼溅",
    "Load files of 3D Gaussians as point clouds that can also be shown as splats": "把三维高斯文件加载为点云，也可显示为泼溅",
    "Export Gaussian Splats": "导出高斯泼溅",
    "Save the selected photo's points as 3D Gaussians that splat viewers read": "把所选照片的点存为泼溅查看器可读的三维高斯",
    "Gaussian Splats": "高斯泼溅",
    "Apply Transform": "应用变换",
    "As the points stand in the scene, rather than as the photo's camera sees them": "按点在场景中的位置导出，而非照片相机所见",
    "Export…": "导出…",
    "File": "文件",
    "Standard (.ply)": "标准 (.ply)",
    "Small (.splat)": "较小 (.splat)",
    "Smallest (.spz)": "最小 (.spz)",
    "Full precision; every splat viewer reads it": "全精度；所有泼溅查看器都能读取",
    "Half as large: colours, opacities and rotations in 8 bits": "大小减半：颜色、不透明度和旋转为 8 位",
    "A seventh of the size: positions in steps of a quarter of a millimetre, the rest in 8 bits": "约七分之一大小：位置以四分之一毫米为步长，其余为 8 位",
    "The points of {0} have been deleted.": "{0} 的点已被删除。",
    "Press Update to make them again.": "请按“更新”重新生成。",
}
