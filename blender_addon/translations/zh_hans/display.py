"""How a photo is shown."""

WORDS = {
    "Display": "显示",
    "In Viewport": "在视图中",
    "No graphics card draws this window, so it shows fewer points.": "没有显卡绘制此窗口，因此显示的点较少。",
    "Share of the points that viewports show. Renders show all": "视图中显示的点的比例。渲染显示全部",
    "The point cloud. Snapping and the Ruler find the surface, which renders leave out": "点云。吸附和标尺以表面为准，渲染不含表面",
    "Splats": "泼溅",
    "Each Gaussian as a soft ellipsoid, in renders and in Material Preview and Rendered viewports": "每个高斯显示为柔和的椭球，见于渲染以及材质预览和渲染视图",
    "The mesh with the photo as its texture": "以照片为纹理的网格",
    "Box": "方框",
    "Only a box in viewports, to move things around quickly. Renders show points": "视图中只显示方框，便于快速移动。渲染显示点",
}
