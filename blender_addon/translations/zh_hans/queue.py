"""Several photos, one after the other."""

WORDS = {
    "Turn photos into point clouds in metres, with the settings of the sidebar, one after the other": "按侧栏的设置把照片逐一变成以米为单位的点云",
    "Add to Queue": "加入队列",
    "Stop the photo that is being processed; the next one in the queue takes its place": "停止正在处理的照片；队列中的下一张接着处理",
    "Cancel All": "全部取消",
    "Stop the photo that is being processed and empty the queue": "停止正在处理的照片并清空队列",
    "Remove from Queue": "从队列中移除",
    "Take this photo out of the queue": "把这张照片移出队列",
    "Try Again": "重试",
    "Try this photo once more, with the settings it had": "按原来的设置再处理一次这张照片",
    "Internal error in the extension: {name}: {why}.": "扩展出错了：{name}：{why}。",
    "Blender's console has the details; please report it.": "Blender 的控制台中有详细信息；请报告此问题。",
    "and {count} more": "以及另外 {count} 张",
    "Waiting, {ahead} before this": "正在等待，前面还有 {ahead} 个",
}
