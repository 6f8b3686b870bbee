"""Against a directory in memory, with the types of the contract that build.sh generates."""

import unittest
from types import SimpleNamespace

from componentize_py_types import Err
from wit_world.imports import types

import volumes


class FakeDirectory:
    """As much of the host's `directory` as is used here."""

    def __init__(self):
        self.entries = {}

    def mkdir(self, path, mode):
        self.entries.setdefault(path, mode)

    def stat(self, path):
        if path not in self.entries:
            raise Err(types.Error_NotFound(f"no {path}"))
        return SimpleNamespace(kind="directory", mode=self.entries[path])

    def remove_tree(self, path):
        self.entries.pop(path, None)


class Volumes(unittest.TestCase):
    def refuses(self, condition, function, *arguments):
        with self.assertRaises(Err) as refused:
            function(*arguments)
        self.assertIsInstance(refused.exception.value, condition)

    def test_a_volume_comes_and_goes_however_often_it_is_asked_for(self):
        pool = FakeDirectory()
        for _ in range(2):
            self.assertEqual(volumes.create(pool, "music", 0o770), "music")
        self.assertEqual(pool.entries, {"music": 0o770})
        volumes.require(pool, "music")
        for _ in range(2):
            volumes.delete(pool, "music")
        self.assertEqual(pool.entries, {})
        self.refuses(types.Error_NotFound, volumes.require, pool, "music")

    def test_every_name_gets_an_id_of_its_own(self):
        self.assertEqual(volumes.id_for("pvc-1.a"), "pvc-1.a")
        names = ["..", ".hidden", "a/b", "a-b", "a_b", "a_2fb", "ü", "n" * 128, "ü" * 63 + "a", "ü" * 63 + "b"]
        ids = {volumes.id_for(name) for name in names}
        self.assertEqual(len(ids), len(names))
        self.assertTrue(all(map(volumes.is_id, ids)), ids)
        self.refuses(types.Error_InvalidArgument, volumes.id_for, "")

    def test_an_id_that_a_person_wrote_leads_nowhere_else(self):
        pool = FakeDirectory()
        for volume in ["", ".", "..", "../etc", "music/a", "/music", "n" * 129]:
            pool.mkdir(volume, 0o755)
            self.refuses(types.Error_InvalidArgument, volumes.require, pool, volume)
            volumes.delete(pool, volume)
        self.assertEqual(len(pool.entries), 7)

    def test_a_mode_is_octal(self):
        self.assertEqual(volumes.mode(None), 0o755)
        self.assertEqual(volumes.mode("2770"), 0o2770)
        for wrong in ["rwx", "888", "17777", "-1", ""]:
            self.refuses(types.Error_InvalidArgument, volumes.mode, wrong)


if __name__ == "__main__":
    unittest.main()
