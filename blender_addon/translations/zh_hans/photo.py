"""Photos and their files."""

WORDS = {
    "photo": "照片",
    "depth file": "深度文件",
    "The {0} of {1} has moved: it was {2}.": "{1} 的{0}已被移动：原位置为 {2}。",
    "Choose it again under Settings of This Photo, then press Update.": "请在“此照片的设置”中重新选择，然后按“更新”。",
    "No image is chosen.": "尚未选择图像。",
    "Choose an image first.": "请先选择图像。",
    "The image {0} holds no pixels.": "图像 {0} 不含像素。",
    "Save it to disk and choose the file.": "请把它保存到磁盘，再选择该文件。",
    "The mask {0} holds no pixels.": "遮罩 {0} 不含像素。",
    "Choose another image, or none.": "请选择其他图像，或不选。",
    "The {0} {1} has {2} MB; at most {3} MB are accepted.": "{0} {1} 有 {2} MB；最多接受 {3} MB。",
    "Scale it down first.": "请先缩小它。",
    "There is no file {0}.": "没有文件 {0}。",
    "Choose the {0} again.": "请重新选择{0}。",
    "The {0} {1} cannot be opened: {2}.": "无法打开{0} {1}：{2}。",
    "Choose a file that you may read.": "请选择您有权读取的文件。",
    "No photo is chosen.": "尚未选择照片。",
    "Choose a photo first.": "请先选择照片。",
}
