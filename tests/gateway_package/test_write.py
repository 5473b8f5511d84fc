from pathlib import Path

import numpy as np
from cabinets import copy_with

from articulation.asset import Asset
from articulation.urdf import MeshShape, read_urdf
from gateway.package.preview import SIZE, render_preview
from gateway.package.validate import ValidationReport, is_inside_hull, validate
from gateway.package.write import GLB, MJCF, URDF, USD


def test_the_folder_holds_every_file_that_the_urdf_names(folder: Path) -> None:
    document = read_urdf((folder / URDF).read_bytes())
    shapes = [geometry.shape for link in document.links for geometry in (*link.visuals, *link.collisions)]
    assert shapes
    assert all(isinstance(shape, MeshShape) and (folder / shape.filename).is_file() for shape in shapes)
    assert all((folder / name).stat().st_size for name in (MJCF, USD, GLB))


def test_a_good_asset_passes_every_check(report: ValidationReport) -> None:
    assert report.problems == ()
    assert [joint.link for joint in report.joints] == ["door", "drawer"]
    assert report.usd_joints == 3


def test_the_report_measures_travel_in_both_simulators(report: ValidationReport) -> None:
    for joint in report.joints:
        assert joint.penetration < 0.01
        assert min(joint.reach_mujoco, joint.reach_pybullet) > 0.95
        assert joint.drift < 0.02
        assert joint.drift_absolute == joint.drift * (joint.upper - joint.lower)


def test_the_report_is_plain_data(report: ValidationReport, asset: Asset) -> None:
    data = report.to_json()
    assert data["ok"] is True
    assert data["links"][1]["mass"] == np.float64(f"{asset.bodies[1].inertial.mass:.10g}")


def test_a_door_that_opens_inwards_is_found_out(folder: Path, tmp_path: Path) -> None:
    broken = copy_with(folder, tmp_path, MJCF, 'axis="0 0 -1"', 'axis="0 0 1"')
    assert any("door" in problem and "penetrates" in problem for problem in validate(broken).problems)


def test_an_impossible_inertia_is_found_out(folder: Path, tmp_path: Path) -> None:
    text = (folder / URDF).read_text()
    moment = text.split('ixx="')[1].split('"')[0]
    broken = copy_with(folder, tmp_path, URDF, f'ixx="{moment}"', 'ixx="1000"')
    assert any("impossible mass or inertia" in problem for problem in validate(broken).problems)


def test_a_centre_of_mass_beside_the_part_is_found_out(folder: Path, tmp_path: Path) -> None:
    inertial = (folder / URDF).read_text().split('<link name="door">')[1].split("xyz=")[1].split('"')[1]
    broken = copy_with(folder, tmp_path, URDF, f'xyz="{inertial}"', 'xyz="0 2 0"')
    report = validate(broken)
    assert [link.link for link in report.links if not link.center_inside] == ["door"]
    assert any("door has its centre of mass outside" in problem for problem in report.problems)


def test_a_flat_set_of_points_holds_no_centre() -> None:
    square = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]])
    assert not is_inside_hull(square.mean(0), square)
    assert is_inside_hull(np.full(3, 0.5), np.concatenate([square, square + np.eye(3)[2]]))


def test_a_missing_mesh_is_a_problem_not_a_crash(folder: Path, tmp_path: Path) -> None:
    broken = copy_with(folder, tmp_path, MJCF, "meshes/door.obj", "meshes/gone.obj")
    assert any("does not load" in problem for problem in validate(broken).problems)


def test_a_urdf_that_is_no_urdf_is_a_problem(folder: Path, tmp_path: Path) -> None:
    broken = copy_with(folder, tmp_path, URDF, "<robot", "<rabbit")
    assert not validate(broken).ok


def test_the_preview_shows_the_input_and_two_states(folder: Path) -> None:
    picture = np.full((64, 64, 3), (10, 200, 30), dtype=np.uint8)
    preview = render_preview(folder / URDF, picture)
    assert preview.shape == (SIZE, 3 * SIZE, 3)
    shown, closed, opened = np.split(preview, 3, axis=1)
    assert (shown == (10, 200, 30)).all()
    drawn = [(view < 250).any(-1).mean() for view in (closed, opened)]
    assert 0.05 < drawn[0] < drawn[1] < 0.9
