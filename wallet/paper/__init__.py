"""Certificates on paper (the extra `paper`): a PDF in English, German or Chinese, with codes and the file attached."""
