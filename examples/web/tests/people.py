"""Somebody at the keyboard: nothing here uses a mouse."""

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

GUARD_SECONDS = 20  # how long a test may hang before it fails; no statement about speed
PHONE, DESKTOP = (360, 740), (1280, 800)

# Every text with less contrast to what is behind it than WCAG 2.1 AA wants, 4.5 : 1.
FAINT = """
const number = text => text.match(/[0-9.]+/g).map(Number);
const luminance = ([r, g, b]) => [r, g, b].map(v => v / 255)
  .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = element => {
  for (let it = element; it; it = it.parentElement) {
    const colour = number(getComputedStyle(it).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
};
const faint = [];
for (const element of document.body.querySelectorAll('*')) {
  if (![...element.childNodes].some(it => it.nodeType === 3 && it.data.trim())) continue;
  const [a, b] = [number(getComputedStyle(element).color), behind(element)].map(luminance);
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) faint.push(element.textContent.trim() + ' ' + ratio.toFixed(2));
}
return faint;
"""


class Browser:
    """One Chromium without a screen."""

    def __init__(self, profile):
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for word in ("headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-sync"):
            options.add_argument(f"--{word}")
        for word in ("disable-background-networking", "disable-component-update", "hide-scrollbars"):
            options.add_argument(f"--{word}")
        options.add_argument(f"--user-data-dir={profile}")
        self._driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        self._driver.set_page_load_timeout(GUARD_SECONDS)

    def quit(self):
        self._driver.quit()

    def set_back(self):
        for handle in self._driver.window_handles[1:]:
            self.to_tab(handle)
            self._driver.close()
        self.to_tab(self._driver.window_handles[0])
        self._driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        self.shows(PHONE, "light")
        self.open("about:blank")

    def shows(self, size, scheme):
        """The width and height of the window, and whether the user likes it dark."""
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
        self._driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def open(self, url):
        self._driver.get(url)

    def second_tab(self, url):
        """Opens the address in a tab of its own, and returns a name for each of the two."""
        first = self._driver.current_window_handle
        self._driver.switch_to.new_window("tab")
        self.open(url)
        return first, self._driver.current_window_handle

    def to_tab(self, handle):
        self._driver.switch_to.window(handle)

    def to(self, name):
        """Goes with the Tab key to the field, button or link that a screen reader calls by this name."""
        passed = []
        for _ in range(30):
            focused = self._driver.switch_to.active_element
            if focused.tag_name != "body" and focused.accessible_name.strip() == name:
                return
            passed.append(focused.accessible_name)
            ActionChains(self._driver).send_keys(Keys.TAB).perform()
        raise AssertionError(f"the Tab key leads to no {name!r}: {passed}\n{self.text()}")

    def fill(self, name, text, send=True):
        """Types into the field; the Enter key sends the form."""
        self.to(name)
        keys = ActionChains(self._driver).send_keys(text)
        keys.perform()
        if send:
            self.press()

    def press(self, name=None):
        """Presses Enter, on the button or link of this name, and waits for the page that it leads to."""
        if name:
            self.to(name)
        before = self._driver.find_element(By.TAG_NAME, "html")
        ActionChains(self._driver).send_keys(Keys.ENTER).perform()
        WebDriverWait(self._driver, GUARD_SECONDS, 0.02).until(lambda _: _is_gone(before))
        self._driver.find_element(By.TAG_NAME, "main")

    def heading(self):
        return self._driver.find_element(By.TAG_NAME, "h1").text

    def text(self):
        return self._driver.find_element(By.TAG_NAME, "body").text

    def source(self):
        return self._driver.page_source

    def element(self, css):
        return self._driver.find_element(By.CSS_SELECTOR, css)

    def has(self, css):
        return bool(self._driver.find_elements(By.CSS_SELECTOR, css))

    def run(self, script):
        return self._driver.execute_script(script)

    def faint_texts(self):
        return self.run(FAINT)

    def is_wider_than_its_window(self):
        return self.run("return document.documentElement.scrollWidth > document.documentElement.clientWidth")

    def cookies(self):
        return {cookie["name"]: cookie for cookie in self._driver.get_cookies()}

    def screenshot(self):
        return self._driver.get_screenshot_as_png()


def _is_gone(element):
    try:
        element.is_enabled()
    except Exception:  # noqa: BLE001: stale elements and frames that are going have errors of several kinds
        return True
    return False
