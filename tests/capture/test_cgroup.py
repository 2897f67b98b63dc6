"""Which files hold the limit, on text saved from real machines; and which limit they hold."""

import pytest

from memanalysis.capture.cgroup import find_limit_files, parse_limit_bytes

V1_MOUNTS = """\
23 1 254:0 / / rw,relatime - ext4 /dev/vda rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
V1_CGROUP = "9:name=systemd:/\n4:memory:/api/worker\n2:cpuacct:/\n0::/\n"

V2_MOUNTS = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"

DOCKER_V1_MOUNTS = """\
730 720 0:32 /docker/4f2a /sys/fs/cgroup/memory ro,nosuid master:16 - cgroup cgroup rw,memory
"""


def test_version_1_gives_the_own_cgroup_and_its_ancestors():
    assert find_limit_files(V1_CGROUP, V1_MOUNTS) == [
        "/sys/fs/cgroup/memory/api/worker/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/api/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ]


def test_version_2_gives_the_own_cgroup_and_its_ancestors():
    assert find_limit_files("0::/system.slice/api.service\n", V2_MOUNTS) == [
        "/sys/fs/cgroup/system.slice/api.service/memory.max",
        "/sys/fs/cgroup/system.slice/memory.max",
        "/sys/fs/cgroup/memory.max",
    ]


def test_in_a_container_with_its_own_cgroup_namespace_the_root_is_the_container():
    assert find_limit_files("0::/\n", V2_MOUNTS) == ["/sys/fs/cgroup/memory.max"]


def test_a_container_that_sees_the_hosts_path_reads_below_its_mount():
    """Docker on version 1: the path is that of the machine, and the mount shows the container's folder as its root."""
    assert find_limit_files("4:memory:/docker/4f2a\n", DOCKER_V1_MOUNTS) == [
        "/sys/fs/cgroup/memory/memory.limit_in_bytes"
    ]
    assert find_limit_files("4:memory:/docker/4f2a/sub\n", DOCKER_V1_MOUNTS) == [
        "/sys/fs/cgroup/memory/sub/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ]


@pytest.mark.parametrize("path", ["/docker/other", "/../../elsewhere"])
def test_a_cgroup_outside_of_the_mount_leaves_the_mounts_own_limit(path):
    assert find_limit_files(f"4:memory:{path}\n", DOCKER_V1_MOUNTS) == ["/sys/fs/cgroup/memory/memory.limit_in_bytes"]


def test_controllers_mounted_together_and_escaped_spaces_are_read():
    mounts = "35 31 0:32 / /mnt/my\\040cgroups rw - cgroup cgroup rw,cpu,memory\n"

    assert find_limit_files("4:cpu,memory:/a\n", mounts) == [
        "/mnt/my cgroups/a/memory.limit_in_bytes",
        "/mnt/my cgroups/memory.limit_in_bytes",
    ]


@pytest.mark.parametrize(("cgroup", "mounts"), [("", ""), (V1_CGROUP, ""), ("", V1_MOUNTS), ("garbage", "garbage - x")])
def test_without_a_memory_controller_there_is_no_file(cgroup, mounts):
    assert find_limit_files(cgroup, mounts) == []


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("536870912\n", 512 * 1024**2),
        ("max\n", None),
        ("9223372036854771712\n", None),  # version 1, no limit
        ("0\n", None),
        ("", None),
        ("-1\n", None),
    ],
)
def test_a_limit_is_bytes_and_no_limit_is_none(text, limit):
    assert parse_limit_bytes(text) == limit
