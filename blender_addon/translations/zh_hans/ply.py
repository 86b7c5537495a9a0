"""Files of Gaussian splats."""

WORDS = {
    "Gaussian splats (.ply)": "高斯泼溅 (.ply)",
    "Import Gaussian Splats": "导入高斯泼溅",
    "Load PLY files of 3D Gaussians as point clouds that can also be shown as splats": "把三维高斯的 PLY 文件加载为点云，也可显示为泼溅",
    "Export Gaussian Splats": "导出高斯泼溅",
    "Save the selected photo's points as a PLY of 3D Gaussians that splat viewers read": "把所选照片的点存为泼溅查看器可读的三维高斯 PLY",
    "Gaussian Splats": "高斯泼溅",
    "Apply Transform": "应用变换",
    "As the points stand in the scene, rather than as the photo's camera sees them": "按点在场景中的位置导出，而非照片相机所见",
    "Export PLY": "导出 PLY",
    "The points of {0} have been deleted.": "{0} 的点已被删除。",
    "Press Update to make them again.": "请按“更新”重新生成。",
}
