"""Sentences that come from the backend; those of the add-on itself stand with their concern."""

WORDS = {
    "The photo does not tell its focal length; {0} mm (35 mm equivalent) was assumed. Widths depend on it: give the focal length of the camera.": "照片没有给出焦距；已假定为 {0} mm（35 mm 等效）。宽度取决于它：请输入相机的焦距。",
    "The connection to the backend was lost.": "与后端的连接已断开。",
    "The backend is not running.": "后端未运行。",
    "Start the backend (image-to-3d serve) and try again.": "请启动后端（image-to-3d serve）后重试。",
    "The backend at {0} does not answer.": "{0} 处的后端没有应答。",
    "The backend does not know this client.": "后端不认识此客户端。",
    "On its machine run: image-to-3d authorise {0}": "请在其计算机上运行：image-to-3d authorise {0}",
    "Nothing listens at {0}.": "{0} 处没有程序在监听。",
    "What listens at {0} is not this backend.": "在 {0} 监听的不是此后端。",
    "{0} cannot be read: {1}.": "无法读取 {0}：{1}。",
    "it is not a picture of a known format": "不是已知格式的图片",
    "Open it in an image viewer and save it again as JPEG or PNG.": "请用看图软件打开它，重新保存为 JPEG 或 PNG。",
    "{0} has {1}×{2} pixels; at most {3} megapixels are accepted.": "{0} 有 {1}×{2} 像素；最多接受 {3} 百万像素。",
    "Scale it down first; 4000 pixels on the long side are plenty.": "请先缩小它；长边 4000 像素已足够。",
    "No wall is in view that could lie along an axis.": "画面中没有可以沿轴对齐的墙面。",
    "Level without aligning a wall.": "请在不对齐墙面的情况下调平。",
}
