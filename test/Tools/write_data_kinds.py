#!/usr/bin/env python3
"""Writes files of many formats, by the writers of the standard library where it has one, into a directory.

Usage: write_data_kinds.py DIR
"""
import bz2
import gzip
import io
import lzma
import os
import pickle
import sqlite3
import struct
import sys
import tarfile
import zipfile

TEXT = ("It is a truth universally acknowledged, that a model trains on whatever it is given.\n" * 40).encode()


def npy():
    header = "{'descr': '<u2', 'fortran_order': False, 'shape': (200,), }".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(range(200)) * 2


def zipped(name, data):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, data)
    return stream.getvalue()


def tarred(data):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        member = tarfile.TarInfo("text.txt")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def llmc(magic, version, count, width, tokens):
    return struct.pack("<256I", magic, version, count, *[0] * 253) + b"".join(t.to_bytes(width, "little") for t in tokens)


def main(directory):
    tokens = [i % 200 for i in range(50)]
    files = {
        "a.npy": npy(),
        "a.npz": zipped("arr_0.npy", npy()),
        "a.gz": gzip.compress(TEXT),
        "a.bz2": bz2.compress(TEXT),
        "a.xz": lzma.compress(TEXT),
        "a.zip": zipped("text.txt", TEXT),
        "a.tar": tarred(TEXT),
        "a.pkl": pickle.dumps(list(range(1000))),
        "old.pkl": pickle.dumps(list(range(1000)), protocol=2),
        "oldest.pkl": pickle.dumps(list(range(1000)), protocol=0),
        "utf16.txt": TEXT.decode().encode("utf-16"),
        "utf16le.txt": TEXT.decode().encode("utf-16-le"),
        "words": bytes(i * 7 % 256 for i in range(1000)),
        "control.txt": TEXT[:100] + b"\x01\x02" + TEXT[100:200],
        "tokens.bin": llmc(20240520, 1, 50, 2, tokens),
        "tokens7.bin": llmc(20240801, 7, 50, 4, tokens),
        "eval.bin": llmc(20240522, 1, 50, 2, tokens),
        "cut.bin": llmc(20240520, 1, 51, 2, tokens),
        "bare.bin": b"".join(t.to_bytes(2, "little") for t in tokens),
        "plain.txt": TEXT,
        "dos.txt": b"\xef\xbb\xbf" + TEXT.replace(b"\n", b"\r\n") + b"\x1a",
        "latin1.txt": TEXT + "Grüße, déjà vu\n".encode("latin-1"),
        "tiny.txt": b"0123456789abcdefg",
        "empty.txt": b"",
    }
    for name, data in files.items():
        with open(os.path.join(directory, name), "wb") as file:
            file.write(data)
    database = sqlite3.connect(os.path.join(directory, "a.db"))
    database.execute("create table texts (text)")
    database.commit()
    database.close()


main(sys.argv[1])
