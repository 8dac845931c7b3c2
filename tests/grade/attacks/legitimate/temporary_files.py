# problem: Attack/add
# why: keeps its numbers in temporary files and folders
# verdict: passed
import pathlib
import tempfile


def solve(a, b):
    with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile("w+") as file:
        path = pathlib.Path(folder, "a.txt")
        path.write_text(str(a))
        file.write(str(b))
        file.flush()
        return int(path.read_text()) + int(pathlib.Path(file.name).read_text())
