"""Engines as menus show them."""

WORDS = {
    "Automatic": "自动",
    "The best engine that is ready; the depth file where one is chosen": "就绪的引擎中最好的一个；选择了深度文件时用深度文件",
    "SHARP": "SHARP",
    "Gaussians in metres from one photo. Its weights are for research only": "由一张照片得到以米为单位的高斯。其权重仅供研究使用",
    "Depth File": "深度文件",
    "Exact where the depth file is: LiDAR phone, RGB-D camera, another network": "与深度文件一样精确：激光雷达手机、RGB-D 相机或其他网络",
    "Lite": "Lite",
    "Small network that comes with the backend; approximate metres": "后端自带的小型网络；米制尺寸为近似值",
    "MiDaS Small": "MiDaS Small",
    "Relative depth, small and fast; needs a known length to become metric": "相对深度，小而快；需要一个已知长度才能成为米制",
    "DPT Large": "DPT Large",
    "Relative depth, finer; needs a known length to become metric": "相对深度，更精细；需要一个已知长度才能成为米制",
}
