"""Reading images: from files and archives, upright, and every kind of broken input named."""

import os
import stat
import zipfile

import numpy as np
import pytest
from PIL import Image, ImageOps

from mvlpt.data.images import archive_entries, archives, read_image, split_impath
from mvlpt.data.loading import ByteLRU
from mvlpt.data.loading.cache import image_cache, read_image_cached
from mvlpt.errors import DataError


@pytest.fixture
def archive(tmp_path, png):
    path = tmp_path / "pets.zip"
    with zipfile.ZipFile(path, "w") as pages:
        pages.writestr("cats/a b@c.png", png(1))
        pages.writestr("broken.png", png(2)[:100])
        pages.writestr("text.png", "no image")
        link = zipfile.ZipInfo("link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        pages.writestr(link, "../../etc/passwd")
    return path


def test_file_and_archive_entry_give_the_same_pixels(tmp_path, archive, png):
    (tmp_path / "one.png").write_bytes(png(1))
    from_file, from_zip = read_image(str(tmp_path / "one.png")), read_image(f"{archive}@cats/a b@c.png")
    assert from_file.mode == from_zip.mode == "RGB"
    assert np.array_equal(np.array(from_file), np.array(from_zip))


def test_path_is_cut_at_the_first_at_sign_after_zip(tmp_path, png):
    assert split_impath("/a@b/c.ZIP@d@e.png") == ("/a@b/c.ZIP", "d@e.png")
    assert split_impath("/a@b.png") == ("/a@b.png", None)
    plain = tmp_path / "x.zip@y.png"
    plain.write_bytes(png(1))
    assert split_impath(str(plain)) == (str(plain), None)
    assert read_image(str(plain)).size == (20, 16)


def test_exif_orientation_is_applied(tmp_path):
    image = Image.new("RGB", (30, 10), "red")
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.jpg", exif=exif)
    assert read_image(str(tmp_path / "turned.jpg")).size == (10, 30)


@pytest.mark.parametrize("orientation", range(10))
def test_every_orientation_is_pillow_s(tmp_path, orientation):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as stored:
        expected = ImageOps.exif_transpose(stored)
    assert np.array_equal(read_image(str(tmp_path / "turned.png")), expected)


def test_a_broken_exif_record_spoils_no_image(tmp_path, monkeypatch):
    image, exif = Image.new("RGB", (30, 10), "red"), Image.Exif()
    exif[0x0112] = 6
    for suffix in ("webp", "jpg"):
        path = tmp_path / f"image.{suffix}"
        image.save(path, exif=exif)
        content = path.read_bytes()
        place = content.index(b"MM\0*")
        path.write_bytes(content[:place] + b"xx" + content[place + 2 :])
        assert read_image(str(path)).size == (30, 10)

    def fail(self):
        raise ValueError("struct, rational numbers, XML ...")

    monkeypatch.setattr(Image.Image, "getexif", fail)
    assert read_image(str(path)).size == (30, 10)


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_greys_of_16_bits_keep_their_shades(tmp_path, suffix):
    shades = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1024
    path = tmp_path / f"grey.{suffix}"
    Image.fromarray(shades).save(path)
    assert np.array_equal(np.asarray(read_image(str(path)))[..., 1], shades // 256)


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_numbers_of_unknown_range_are_refused(tmp_path, kind):
    Image.fromarray(np.ones((4, 4), kind)).save(tmp_path / "wide.tif")
    with pytest.raises(DataError, match=r"wide\.tif has 32-bit values"):
        read_image(str(tmp_path / "wide.tif"))


def test_no_program_is_started_for_an_image(tmp_path, monkeypatch):
    import PIL.EpsImagePlugin

    def fail(*args, **kwargs):
        raise AssertionError("Ghostscript would have been run on a stranger's program")

    monkeypatch.setattr(PIL.EpsImagePlugin, "Ghostscript", fail)
    Image.new("RGB", (8, 8)).save(tmp_path / "page.eps")
    (tmp_path / "page.eps").rename(tmp_path / "cat.jpg")
    with pytest.raises(DataError, match=r"cat\.jpg is not an image that can be read"):
        read_image(str(tmp_path / "cat.jpg"))


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    path = tmp_path / ("image.tif" if mode == "CMYK" else "image.png")
    Image.new("RGB", (8, 8), "blue").convert(mode).save(path)
    assert read_image(str(path)).mode == "RGB"


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("broken.png", "cannot be decoded"),
        ("text.png", "not an image"),
        ("absent.png", "no entry 'absent.png'"),
        ("link.png", "a link or a folder"),
    ],
)
def test_bad_entry_is_one_sentence_that_names_it(archive, entry, says):
    with pytest.raises(DataError, match=says) as caught:
        read_image(f"{archive}@{entry}")
    assert "pets.zip" in str(caught.value)
    assert entry in str(caught.value)


def test_missing_file_and_archive_are_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.png does not exist"):
        read_image(str(tmp_path / "gone.png"))
    with pytest.raises(DataError, match=r"gone\.zip does not exist"):
        read_image(f"{tmp_path / 'gone.zip'}@a.png")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="folder"):
        read_image(str(tmp_path / "folder"))


def test_a_file_that_the_system_refuses_is_not_called_damaged(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied", "a.png")

    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(DataError, match=r"The image .*a\.png cannot be read: Permission denied$"):
        read_image(str(tmp_path / "a.png"))


def test_truncated_archive_is_named(tmp_path, archive):
    cut = tmp_path / "cut.zip"
    cut.write_bytes(archive.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"cut\.zip cannot be opened, it may be truncated"):
        read_image(f"{cut}@cats/a b@c.png")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_decompression_bombs_are_refused(tmp_path, archive, monkeypatch):
    (tmp_path / "bomb.pbm").write_bytes(b"P4 10000 9000\n")  # refused by its header, before a pixel is read
    with pytest.raises(DataError, match="10000 x 9000 pixels; at most"):
        read_image(str(tmp_path / "bomb.pbm"))
    monkeypatch.setenv("MVLPT_MAX_ENTRY_MB", "0")
    with pytest.raises(DataError, match="unpacks to"):
        read_image(f"{archive}@cats/a b@c.png")


def test_entries_are_regular_files_only(archive):
    assert archive_entries(str(archive)) == {"cats/a b@c.png", "broken.png", "text.png"}


def test_archives_stay_open_within_a_bound_and_are_reopened_when_they_change(tmp_path, png):
    paths = [tmp_path / f"{number}.zip" for number in range(archives.MAX_OPEN_ARCHIVES + 4)]
    for number, path in enumerate(paths):
        with zipfile.ZipFile(path, "w") as pages:
            pages.writestr("a.png", png(number))
        read_image(f"{path}@a.png")
    assert len(archives._pool()._open) <= archives.MAX_OPEN_ARCHIVES
    with zipfile.ZipFile(paths[-1], "w") as pages:
        pages.writestr("a.png", png(7, (9, 9)))
    assert read_image(f"{paths[-1]}@a.png").size == (9, 9)


def test_a_forked_child_opens_archives_anew(archive):
    read_image(f"{archive}@cats/a b@c.png")
    parent = archives._pool()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, b"y" if archives._pool() is not parent and not archives._pool()._open else b"n")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 1) == b"y"


def test_cache_is_bounded_in_bytes_and_forgets_the_oldest():
    cache = ByteLRU(10, len)
    for key, value in (("a", b"1234"), ("b", b"1234")):
        cache.put(key, value)
    cache.get("a")
    cache.put("c", b"1234")
    assert "b" not in cache
    assert cache.num_bytes == 8
    cache.put("huge", b"x" * 11)
    assert "huge" not in cache
    cache.put("a", b"1")
    assert cache.num_bytes == 5


def test_cached_image_is_the_callers_own_and_follows_the_file(tmp_path, png):
    path = tmp_path / "a.png"
    path.write_bytes(png(1))
    first = read_image_cached(str(path), 10**6)
    first.paste((0, 0, 0), (0, 0, 20, 16))
    assert np.array(read_image_cached(str(path), 10**6)).any()
    hits = image_cache(10**6).hits
    read_image_cached(str(path), 10**6)
    assert image_cache(10**6).hits == hits + 1
    path.write_bytes(png(2, (12, 12)))
    assert read_image_cached(str(path), 10**6).size == (12, 12)


def transparent(mode):
    """A 4 x 4 image with alpha 0, 64, 128 and 255 by column, and its colours and alpha as arrays."""
    colours = np.arange(48, dtype=np.uint8).reshape(4, 4, 3) * 5
    alpha = np.tile(np.array([0, 64, 128, 255], np.uint8), (4, 1))
    if mode == "LA":
        colours = np.repeat(colours[:, :, :1], 3, axis=2)
        return Image.fromarray(np.dstack([colours[:, :, 0], alpha]), "LA"), colours, alpha
    return Image.fromarray(np.dstack([colours, alpha]), "RGBA"), colours, alpha


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_images_are_put_on_white(tmp_path, mode):
    image, colours, alpha = transparent(mode)
    image.save(tmp_path / "x.png")
    share = alpha[:, :, None] / 255
    blended = colours * share + 255 * (1 - share)
    assert np.abs(np.asarray(read_image(str(tmp_path / "x.png"))) - blended).max() <= 1
    assert (np.asarray(read_image(str(tmp_path / "x.png"), transparency="drop")) == colours).all()


def test_a_transparent_palette_entry_is_white(tmp_path):
    image = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), "P")
    image.putpalette([0, 0, 0, 200, 0, 0])
    image.save(tmp_path / "x.png", transparency=0)
    assert np.asarray(read_image(str(tmp_path / "x.png"))).tolist() == [
        [[255, 255, 255], [200, 0, 0]],
        [[200, 0, 0], [255, 255, 255]],
    ]
    assert np.asarray(read_image(str(tmp_path / "x.png"), transparency="drop"))[0, 0].tolist() == [0, 0, 0]


def test_caches_keep_the_two_readings_apart(tmp_path):
    transparent("RGBA")[0].save(tmp_path / "x.png")
    path = str(tmp_path / "x.png")
    white, dropped = (np.asarray(read_image_cached(path, 10**6, how)) for how in ("white", "drop"))
    assert (white != dropped).any()
    assert (np.asarray(read_image_cached(path, 10**6)) == white).all()
