"""The emulator of Google Cloud Storage with the one precondition that it leaves out.

Google refuses an upload with ifGenerationMatch=0 where the object exists; the emulator
overwrites it.
"""

from http import HTTPStatus
from typing import Any

from gcp_storage_emulator.exceptions import NotFound
from gcp_storage_emulator.handlers import objects

_insert = objects.insert


def _insert_unless_there(request: Any, response: Any, storage: Any, *rest: Any) -> None:
    if request.query.get("ifGenerationMatch") == ["0"]:
        try:
            storage.get_file_obj(request.params["bucket_name"], request.data["meta"]["name"])
        except NotFound:
            pass
        else:
            response.status = HTTPStatus.PRECONDITION_FAILED
            return
    _insert(request, response, storage, *rest)


if __name__ == "__main__":
    objects.insert = _insert_unless_there  # before the server reads it into its table

    from gcp_storage_emulator.__main__ import main

    main()
