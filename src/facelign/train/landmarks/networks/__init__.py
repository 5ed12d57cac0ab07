"""Networks for points, a file each: ``network(side, points)`` returns shares (n, points, 2)."""
