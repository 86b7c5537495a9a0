"""Pictures of the splats while one works, and what they need of the backend."""

WORDS = {
    "The connection settings have changed.": "连接设置已更改。",
    "It is tried again.": "将重试。",
    "{points_name} cannot be drawn: its points have no {missing}.": "无法绘制 {points_name}：其点没有 {missing}。",
    "{points_name} cannot be drawn: it is stretched unevenly, sheared, mirrored or flattened.": "无法绘制 {points_name}：它被非均匀拉伸、错切、镜像或压扁。",
    "Give it the same positive scale along X, Y and Z.": "请让它在 X、Y、Z 方向上有相同的正缩放。",
    "{instance_name} is gone.": "{instance_name} 已不存在。",
    "Undo, or press Update.": "请撤销，或按“更新”。",
    "Live Preview": "实时预览",
    "Show the splats as the backend renders them in all 3D viewports, among Blender's own objects": "在所有 3D 视图中显示由后端渲染的高斯点，并与 Blender 自身的物体相互遮挡",
    "Resolution": "分辨率",
    "Largest size of the pictures, as a share of the viewport's width and height": "图像的最大尺寸，占视图宽度和高度的比例",
    "While Moving": "移动时",
    "Pictures a second to be reached while the view moves; their size drops as far as that needs": "视图移动时每秒要达到的图像数；图像尺寸会相应降低",
    "{width} × {height} pixels, {ms} ms": "{width} × {height} 像素，{ms} 毫秒",
    "The live preview cannot be drawn with this graphics driver.": "此显卡驱动无法绘制实时预览。",
    "No backend: showing the points. Trying again…": "没有后端：显示点云。正在重试…",
    "Waiting for the first picture…": "正在等待第一幅图像…",
}
