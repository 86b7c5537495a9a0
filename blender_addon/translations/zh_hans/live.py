"""Pictures of the splats while one works, and what they need of the backend."""

WORDS = {
    "The connection settings have changed.": "连接设置已更改。",
    "It is tried again.": "将重试。",
    "{0} cannot be drawn: its points have no {1}.": "无法绘制 {0}：其点没有 {1}。",
    "{0} cannot be drawn: it is stretched unevenly, sheared, mirrored or flattened.": "无法绘制 {0}：它被非均匀拉伸、错切、镜像或压扁。",
    "Give it the same positive scale along X, Y and Z.": "请让它在 X、Y、Z 方向上有相同的正缩放。",
    "{0} is gone.": "{0} 已不存在。",
    "Undo, or press Update.": "请撤销，或按“更新”。",
}
