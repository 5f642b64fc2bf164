"""A page as PDF; the only home of WeasyPrint.

Here: one function. Not here: the page (html.py). WeasyPrint needs Pango of the system (Debian:
libpango-1.0-0, libpangoft2-1.0-0), and a font: Debian's fonts-dejavu.
"""

from ivrd.errors import PeerUnreachable


def as_pdf(page: str) -> bytes:
    """Return the page as PDF, made by the same style sheet; the same page gives the same bytes.

    Raises:
        PeerUnreachable: Pango is missing on this machine.
    """
    try:
        # Here and not above: without Pango the import alone fails, and HTML would too.
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    except OSError as error:
        raise PeerUnreachable(
            f"PDF needs Pango (Debian: libpango-1.0-0, libpangoft2-1.0-0): {error}"
        ) from error

    # Nothing may be fetched: a report holds all that it shows.
    nobody = URLFetcher(allowed_protocols=(), fail_on_errors=True)
    made: bytes = HTML(string=page, url_fetcher=nobody).write_pdf()
    return made
