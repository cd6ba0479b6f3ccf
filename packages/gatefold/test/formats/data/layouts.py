"""Write layouts.h5, user-block.h5 and new-groups.h5 with h5py: what HDF5 can do that Keras seldom does.

    interop/.venv-keras3/bin/python packages/gatefold/test/formats/data/layouts.py
"""

from pathlib import Path

import h5py
import numpy as np

HERE = Path(__file__).parent
NUMBERS = np.sin(np.arange(23 * 31)).astype("f4").reshape(23, 31)

with h5py.File(HERE / "layouts.h5", "w") as file:
    file.create_dataset("chunks", data=NUMBERS, chunks=(10, 16))
    file.create_dataset("gzip", data=NUMBERS, chunks=(10, 16), compression="gzip", shuffle=True, fletcher32=True)
    file.create_dataset("float16", data=NUMBERS[0].astype("f2"))
    file.create_dataset("float64", data=NUMBERS[0].astype("f8"))
    file.create_dataset("big-endian", data=NUMBERS[0].astype(">f4"))
    file.create_dataset("single", data=np.float32(0.5))
    file.create_dataset("empty", shape=(0, 3), dtype="f4")
    file.create_dataset("whole", data=np.arange(3))
    for i in range(40):
        file.create_dataset(f"many/{i}", data=np.float32(i))
    file["soft"] = h5py.SoftLink("/single")
    file.attrs["text"] = "öä" * 3000
    file.attrs["fixed"] = np.asarray([b"a", "öä".encode(), b""])
    file.attrs["pointed"] = ["a", "öä", ""]
    file.attrs["none"] = []

with h5py.File(HERE / "user-block.h5", "w", userblock_size=512) as file:
    file.create_dataset("group/array", data=NUMBERS[0])

with h5py.File(HERE / "new-groups.h5", "w", libver=("v108", "v108")) as file:
    file.create_dataset("group/array", data=NUMBERS[0])
    file["group"].attrs["names"] = np.asarray([b"a", b"b"])
