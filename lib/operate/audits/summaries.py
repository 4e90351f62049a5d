"""Inputs against outcomes: each file of *summarize* has a summary, or a reason why there is none."""

import json
from dataclasses import dataclass

from lib.operate.audits.findings import METADATA, MISSING, SAME, STALE, Finding
from lib.operate.audits.history import Extras, Grace
from lib.parameters.sections import SUMMARIZED, Summarize
from lib.s3.listing import Entry
from lib.s3.objects import Place


@dataclass(frozen=True)
class Summaries:
    """Judges files by what was written about them, and what was written by its file.

    Attributes:
        files: The bucket of both.
        settings: The parameters of *summarize*.
        grace: How old a change must be.
        looks_closer: Whether the version is compared too, which takes a HEAD a file.
    """

    files: Place
    settings: Summarize
    grace: Grace
    looks_closer: bool = True

    def judge(self, entry: Entry) -> Finding | None:
        """Judge a file of the listing; None if its key is none that is summarized."""
        if not entry.key.endswith(SUMMARIZED):
            return None
        head = {"ContentLength": entry.size, "ETag": entry.etag, "LastModified": entry.modified}
        return self._compare(entry.key, (self.files.head(entry.key) if self.looks_closer else None) or head)

    def look(self, key: str) -> Finding:
        """Judge a file, or what was written about one, by what is there now."""
        if not key.startswith(self.settings.input_prefix):
            return self.judge_written(key) or Finding(key, SAME)
        head = self.files.head(key)
        return self._compare(key, head) if head else Finding(key, SAME)

    def judge_written(self, key: str) -> Finding | None:
        """Judge a summary or a rejection; None if its file is there, for which it has been judged."""
        source = self._source(key)
        if source and self.files.head(source):
            return None
        return Extras(self.files, self.grace).judge(key, source)

    def _compare(self, key: str, head: dict) -> Finding:
        summary, rejection = (
            self._read(self.settings.summary_key(key)),
            self._read(self.settings.rejected_key(key)),
        )
        about = rejection if summary is None else summary
        finding = Finding(key, MISSING) if about is None else _compared(key, about, head)
        if None not in (summary, rejection) and finding.state == SAME:
            finding = Finding(key, STALE, "there is both a summary and a rejection")
        return finding if finding.state == SAME else self.grace.or_in_flight(finding, head["LastModified"])

    def _read(self, key: str) -> dict | None:
        """Return what is written; None if nothing is, and an empty dict if it cannot be read."""
        try:
            body = self.files.client.get_object(Bucket=self.files.bucket, Key=key)["Body"]
        except self.files.client.exceptions.NoSuchKey:
            return None
        try:
            about = json.load(body)
        except ValueError:
            about = None
        return about if isinstance(about, dict) else {}

    def _source(self, key: str) -> str:
        """Return the key of the file that something was written about; empty if it is none of ours."""
        settings = self.settings
        if key.startswith(settings.rejected_prefix):
            return settings.input_prefix + key.removeprefix(settings.rejected_prefix).removesuffix(".json")
        folder, slash, name = key.removeprefix(settings.output_prefix).rpartition("/")
        stem = name.removeprefix("summary_")
        file = (
            f"{stem.removesuffix('.json')}{SUMMARIZED[0]}"
            if stem.endswith(".json")
            else stem.removesuffix(".jsonl")
        )
        source = f"{settings.input_prefix}{folder}{slash}{file}"
        return source if settings.summary_key(source) == key else ""


def _compared(key: str, about: dict, head: dict) -> Finding:
    """Compare a file with what was written about it."""
    if not {"size_bytes", "etag", "version_id"} <= about.keys():
        return Finding(key, STALE, "what is written about it is no summary and no reason")
    if (about["size_bytes"], about["etag"]) != (head["ContentLength"], head["ETag"].strip('"')):
        return Finding(key, STALE, "what is written is about other bytes")
    if about["version_id"] != head.get("VersionId", about["version_id"]):
        return Finding(key, METADATA, "what is written is about another version of the same bytes")
    return Finding(key, SAME)
