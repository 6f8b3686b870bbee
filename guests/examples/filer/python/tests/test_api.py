"""Against a filer in memory, with the types of the contract that build.sh generates."""

import json
import unittest

from componentize_py_types import Err
from wit_world.imports import types

import api
from api import GIB


class Filer:
    """As much of it as is asked here. `fails` are statuses of the next answers."""

    def __init__(self, *fails):
        self.fails = list(fails)
        self.volumes = {}

    def __call__(self, method, path, body):
        if self.fails:
            return self.fails.pop(0), "no"
        volume = path.removeprefix("/volumes/")
        size = self.volumes.get(volume)
        if method == "PUT":
            return self.change(volume, body["bytes"], size not in (None, body["bytes"]))
        if size is None:
            return 404, ""
        if method == "PATCH":
            return self.change(volume, body["bytes"], body["bytes"] < size)
        if method == "DELETE":
            del self.volumes[volume]
        return 200, json.dumps({"id": volume, "bytes": size})

    def change(self, volume, size, wrong):
        if wrong:
            return 409, ""
        self.volumes[volume] = size
        return 200, json.dumps({"id": volume, "bytes": size})


def capacity(required=None, limit=None):
    return types.CapacityRange(required_bytes=required, limit_bytes=limit)


class Api(unittest.TestCase):
    def refuses(self, condition, function, *arguments):
        with self.assertRaises(Err) as refused:
            function(*arguments)
        self.assertIsInstance(refused.exception.value, condition)

    def test_a_volume_comes_grows_and_goes_however_often_it_is_asked_for(self):
        filer = Filer()
        for _ in range(2):
            made = api.create(filer, "music", capacity(GIB + 1))
            self.assertEqual(made, api.Volume("music", 2 * GIB))
        for _ in range(2):
            self.assertEqual(api.grow(filer, "music", capacity(3 * GIB)), 3 * GIB)
        self.assertEqual(api.create(filer, "music", capacity(GIB)).bytes, 3 * GIB)
        for _ in range(2):
            api.delete(filer, "music")
        self.assertEqual(filer.volumes, {})
        self.refuses(types.Error_NotFound, api.find, filer, "music")

    def test_a_size_that_does_not_fit_is_refused(self):
        filer = Filer()
        api.create(filer, "music", capacity(2 * GIB))
        self.refuses(types.Error_AlreadyExists, api.create, filer, "music", capacity(GIB, GIB))
        self.refuses(types.Error_OutOfRange, api.grow, filer, "music", capacity(GIB, GIB))
        self.refuses(types.Error_OutOfRange, api.create, filer, "films", capacity(1, 2))
        self.refuses(types.Error_OutOfRange, api.create, filer, "films", capacity(2**63))

    def test_every_name_gets_an_id_of_its_own(self):
        self.assertEqual(api.id_for("pvc-1"), "pvc-1")
        long = ["ü" * 63 + last for last in "ab"]
        names = ["A", "a", "a/b", "a-b", "a_b", "a_2fb", "..", "ü", "n" * 128, *long]
        ids = {api.id_for(name) for name in names}
        self.assertEqual(len(ids), len(names))
        for volume in ids:
            self.refuses(types.Error_NotFound, api.find, Filer(), volume)
        self.refuses(types.Error_InvalidArgument, api.id_for, "")

    def test_an_id_that_a_person_wrote_asks_for_nothing_else(self):
        for volume in ["", "..", "music/..", "A", "music\n", "n" * 129]:
            self.refuses(types.Error_InvalidArgument, api.find, self.fail, volume)
            api.delete(self.fail, volume)

    def test_what_the_filer_answers_is_told_as_what_it_means(self):
        for status, condition in [
            (401, types.Error_Denied),
            (404, types.Error_NotFound),
            (423, types.Error_InProgress),
            (500, types.Error_Unavailable),
            (507, types.Error_Exhausted),
            (418, types.Error_Internal),
            (200, types.Error_Internal),
        ]:
            self.refuses(condition, api.find, Filer(status), "music")


if __name__ == "__main__":
    unittest.main()
