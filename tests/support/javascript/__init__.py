"""`web/js/certificate.js` asked from Python: in Node.js, and on a page in headless Chromium."""
