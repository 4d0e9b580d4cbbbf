"""Made-up scenes for tests: a coloured ball, seen by cameras around it."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from penchant.tasks import PosedPictures, RayRenderer
from penchant.tasks._volume_rendering import camera_rays

ANGLE = 0.6


class Ball(nn.Module):
    """Opaque within half a unit of the origin and clear elsewhere; its colour is its place."""

    def forward(self, points: Tensor) -> Tensor:
        inside = points.norm(dim=1, keepdim=True) < 0.5
        density = torch.where(inside, 20.0, -100.0).to(points)
        return torch.cat((density, 6 * points), dim=1)


def poses_around(views: int, distance: float = 3.5) -> np.ndarray:
    """Cameras on a spiral that look at the origin, z up."""
    poses = np.tile(np.eye(4), (views, 1, 1))
    for view, pose in enumerate(poses):
        turn, height = 2.4 * view, 0.3 + 0.5 * view / views
        back = np.array([math.cos(turn), math.sin(turn), height])
        back /= np.linalg.norm(back)
        right = np.cross((0, 0, 1), back)
        right /= np.linalg.norm(right)
        pose[:3, :3] = np.stack((right, np.cross(back, right), back), axis=1)
        pose[:3, 3] = distance * back
    return poses


def ball_scene(views: int = 10, size: int = 12) -> PosedPictures:
    """Return pictures of the ball, drawn by the renderer itself with many samples."""
    poses = poses_around(views)
    renderer = RayRenderer(Ball(), degree=0, samples=256).eval()
    drawn = [
        renderer(camera_rays(torch.from_numpy(pose), size, size, ANGLE).float()) for pose in poses
    ]
    pictures = ((torch.stack(drawn) + 1) / 2).reshape(views, size, size, 3).clamp(0, 1).numpy()
    return PosedPictures("ball", pictures, poses, ANGLE)


def write_scene(folder: Path, scene: PosedPictures, **changes: Any) -> Path:
    """Write a folder as NeRF-synthetic's; `changes` replace entries of the poses' file."""
    (folder / "train").mkdir(parents=True, exist_ok=True)
    frames: list[Mapping[str, Any]] = []
    for view, (picture, pose) in enumerate(zip(scene.pictures, scene.poses, strict=True)):
        whole = np.rint(picture * 255).astype(np.uint8)
        Image.fromarray(whole).save(folder / "train" / f"r_{view}.png")
        frames.append({"file_path": f"./train/r_{view}", "transform_matrix": pose.tolist()})
    words = {"camera_angle_x": scene.angle, "frames": frames, **changes}
    (folder / "transforms_train.json").write_text(json.dumps(words))
    return folder
