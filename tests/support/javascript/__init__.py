"""The modules of `web/js` asked from Python: in Node.js, and on a page in headless Chromium."""
