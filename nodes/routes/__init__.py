"""The server's side of the page: every route of ours, all under /hunyuan/."""
