"""The page in a real browser: Chromium without a window. Skipped where Gradio, Selenium or Chromium is absent."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio", reason="the page needs the extra web")
pytest.importorskip("selenium", reason="a browser is driven by Selenium")

from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from image_to_3d.core.cloud.background_fill import invented
from image_to_3d.io.ply import read_ply
from paths import REPOSITORY, SAMPLE, SUPPORT

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
if not (CHROMIUM and DRIVER):
    pytest.skip("chromium and chromedriver are not installed", allow_module_level=True)

PATIENCE = 90

DROP = """
const [target, name, data] = arguments;
const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
const transfer = new DataTransfer();
transfer.items.add(new File([bytes], name, { type: "image/jpeg" }));
for (const kind of ["dragenter", "dragover", "drop"])
  target.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: transfer }));
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A page of its own process."""
    environment = os.environ | {"IMAGE_TO_3D_HOME": str(tmp_path_factory.mktemp("home"))}
    environment["PYTHONPATH"] = str(REPOSITORY / "backend")
    program = SUPPORT / "page_with_slow_engine.py"
    process = subprocess.Popen(
        [sys.executable, program, "web", "--port", "0"], stderr=subprocess.PIPE, text=True, env=environment
    )
    assert process.stderr is not None
    try:
        said = process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/", said)
        assert found, said + process.stderr.read()
        yield found[0]
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--window-size=1360,1060",
        "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader",
        f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    driver.set_script_timeout(60)
    yield driver
    driver.quit()


@pytest.fixture
def page(browser: webdriver.Chrome, address: str) -> webdriver.Chrome:
    browser.get(address)
    wait(browser, lambda b: b.find_elements(By.CSS_SELECTOR, "#photo [aria-dropeffect], #photo button"))
    return browser


def wait(browser: webdriver.Chrome, condition: Callable) -> object:
    return WebDriverWait(browser, PATIENCE, 0.2).until(condition)


def drop(browser: webdriver.Chrome, photo: Path) -> None:
    """Drop a file onto the photo's place, as from a file manager."""
    target = browser.find_element(By.CSS_SELECTOR, "#photo [aria-dropeffect], #photo button")
    browser.execute_script(DROP, target, photo.name, base64.b64encode(photo.read_bytes()).decode())


def status(browser: webdriver.Chrome) -> str:
    return browser.find_element(By.ID, "status").text


def shown(browser: webdriver.Chrome) -> np.ndarray:
    """What the viewer's canvas shows, (h, w, 3) float. Inside the frame."""
    wait(browser, lambda b: b.execute_script("return !view.dirty && view.frames > 0"))
    url = browser.execute_script("return document.getElementById('view').toDataURL('image/png')")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")).astype(float)


def hosts(browser: webdriver.Chrome) -> set[str]:
    """Hosts that the browser sent requests to."""
    found = set()
    for row in browser.get_log("performance"):
        message = json.loads(row["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            url = urllib.parse.urlsplit(message["params"]["request"]["url"])
            if url.scheme in {"http", "https", "ws", "wss"}:
                found.add(url.hostname)
        if message["method"] == "Network.loadingFailed" and message["params"].get("blockedReason") == "csp":
            found.discard(None)
    return found


def test_a_dropped_photo_becomes_a_heat_map_a_scene_that_turns_and_a_ply(
    page: webdriver.Chrome, tmp_path: Path
) -> None:
    drop(page, SAMPLE / "photo.jpg")
    wait(page, lambda b: "Gaussians" in status(b))
    said = status(page)
    assert "Engine lite" in said and "approximate scale" in said

    heat = wait(page, lambda b: b.find_elements(By.CSS_SELECTOR, "#heat img"))[0]
    wait(page, lambda b: b.execute_script("return arguments[0].naturalWidth > 100", heat))
    size = page.execute_script("return [arguments[0].naturalWidth, arguments[0].naturalHeight]", heat)
    assert size[1] == 640 and size[0] > 960  # of the photo, and a legend

    link = wait(page, lambda b: b.find_elements(By.CSS_SELECTOR, "#ply a[href*='.ply']"))[0].get_attribute("href")
    with urllib.request.urlopen(link) as answer:
        (tmp_path / "downloaded.ply").write_bytes(answer.read())
    cloud = read_ply(tmp_path / "downloaded.ply")
    assert f"{len(cloud):,} Gaussians" in said and f"{invented(cloud).sum():,} of them" in said
    assert cloud.provenance.engine == "lite" and cloud.intrinsics is not None

    page.switch_to.frame(page.find_element(By.CSS_SELECTOR, "#viewer iframe"))
    wait(page, lambda b: b.execute_script("return !!window.view"))
    first = shown(page)
    compare_with_photo(first)
    canvas = page.find_element(By.ID, "view")
    ActionChains(page).move_to_element(canvas).click_and_hold().move_by_offset(90, 20).release().perform()
    turned = shown(page)
    assert np.abs(turned - first).mean() > 8
    page.execute_script("arguments[0].dispatchEvent(new WheelEvent('wheel', {deltaY: -100, cancelable: true}))", canvas)
    assert np.abs(shown(page) - turned).mean() > 2
    page.find_element(By.ID, "back").click()
    assert np.abs(shown(page) - first).mean() < 0.5
    page.switch_to.default_content()
    if os.environ.get("IMAGE_TO_3D_SCREENSHOT"):
        take_screenshot(page, Path(os.environ["IMAGE_TO_3D_SCREENSHOT"]))
    assert hosts(page) == {"127.0.0.1"}
    assert not [row for row in page.get_log("browser") if row["level"] == "SEVERE" and "viewer" in row["message"]]


def compare_with_photo(view: np.ndarray) -> None:
    """From the photo's place the view is the photo, fitted into the canvas."""
    height, width = view.shape[:2]
    photo = Image.open(SAMPLE / "photo.jpg").convert("RGB")
    scale = min(width / photo.width, height / photo.height)
    fitted = photo.resize((round(photo.width * scale), round(photo.height * scale)), Image.Resampling.BOX)
    x, y = (width - fitted.width) // 2, (height - fitted.height) // 2
    part = view[y : y + fitted.height, x : x + fitted.width]
    inside = (slice(8, -8), slice(8, -8))
    assert np.median(np.abs(part - np.asarray(fitted).astype(float))[inside]) < 6


def take_screenshot(page: webdriver.Chrome, path: Path) -> None:
    page.switch_to.frame(page.find_element(By.CSS_SELECTOR, "#viewer iframe"))
    canvas = page.find_element(By.ID, "view")
    ActionChains(page).move_to_element(canvas).click_and_hold().move_by_offset(45, 10).release().perform()
    shown(page)
    page.switch_to.default_content()
    page.save_screenshot(str(path))


def test_cancel_stops_a_running_photo(page: webdriver.Chrome) -> None:
    box = page.find_element(By.CSS_SELECTOR, "#engine input")
    box.click()
    box.send_keys(Keys.CONTROL, "a")
    box.send_keys("slow:")
    wait(page, lambda b: b.find_elements(By.CSS_SELECTOR, "[role=option]"))
    box.send_keys(Keys.ENTER)
    wait(page, lambda b: box.get_attribute("value") == "slow: takes a minute")
    drop(page, SAMPLE / "photo.jpg")
    wait(page, lambda b: "Running the network" in status(b))
    cancel = page.find_element(By.ID, "cancel")
    wait(page, lambda b: cancel.is_enabled())
    cancel.click()
    wait(page, lambda b: status(b) == "Cancelled.")
    assert not cancel.is_enabled()


def test_without_a_photo_it_says_so(page: webdriver.Chrome) -> None:
    page.find_element(By.ID, "make").click()
    wait(page, lambda b: status(b) == "Drop a photo first.")


def test_the_page_is_for_this_computer_and_gives_no_other_files(address: str) -> None:
    def ask(path: str, host: str = "") -> tuple[int, str]:
        request = urllib.request.Request(urllib.parse.urljoin(address, path), headers={"Host": host} if host else {})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.headers["Content-Security-Policy"]
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    code, policy = ask("/")
    assert code == 200 and "default-src 'self'" in policy
    assert ask("/", "rebound.example")[0] == 403
    assert ask("/viewer/viewer.js")[0] == 200
    for path in ("/viewer/..%2fpage.py", "/viewer/page.py", "/scenes/abc/scene.splat", "/scenes/..%2f/camera.json"):
        assert ask(path)[0] == 404


def test_a_taken_port_is_one_sentence(address: str) -> None:
    port = urllib.parse.urlsplit(address).port
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "backend")}
    command = [sys.executable, "-m", "image_to_3d", "web", "--port", str(port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 2 and "cannot be served" in done.stderr and "Traceback" not in done.stderr
