"""A TLS server before a plain one, by OpenSSL: what the library's own TLS cannot agree with itself about shows here.

    tls_front.py CERTIFICATE KEY PORT LOWEST HIGHEST PROTOCOLS

Bytes go on to PORT on loopback. LOWEST and HIGHEST are TLS versions as Python names them (TLSv1_2), PROTOCOLS the names that
are offered by ALPN, with commas between, or "-". The first line told is the port; then one for each connection: its TLS version
and ALPN protocol, or why there is none. Ends with its standard input.
"""

import asyncio
import os
import ssl
import sys
import warnings

certificate, key, port, lowest, highest, protocols = sys.argv[1:]
warnings.simplefilter("ignore", DeprecationWarning)  # TLS 1.0 is what some tests are about.


def context():
    """Made anew for each connection: the certificate may have been renewed."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate, key)
    made.set_ciphers("DEFAULT:@SECLEVEL=0")
    made.minimum_version = ssl.TLSVersion[lowest]
    made.maximum_version = ssl.TLSVersion[highest]
    if protocols != "-":
        made.set_alpn_protocols(protocols.split(","))
    return made


class Tls:
    """One connection. asyncio's own TLS closes it without the alert that tells a client what was wrong."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.object = context().wrap_bio(self.incoming, self.outgoing, server_side=True)

    async def do(self, step):
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                await self.flush()
                piece = await self.reader.read(1 << 16)
                self.incoming.write(piece) if piece else self.incoming.write_eof()
            finally:
                await self.flush()

    async def flush(self):
        self.writer.write(self.outgoing.read())
        await self.writer.drain()

    async def read(self, size):
        return await self.do(lambda: self.object.read(size))

    async def write(self, piece):
        self.object.write(piece)
        await self.flush()


async def pass_on(read, write, close):
    try:
        while piece := await read(1 << 16):
            await write(piece)
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        close()


async def serve(reader, writer):
    tls = Tls(reader, writer)
    try:
        await tls.do(tls.object.do_handshake)
    except (ConnectionError, ssl.SSLError) as error:
        print("none", error, flush=True)
        writer.close()
        return
    print(tls.object.version(), tls.object.selected_alpn_protocol(), flush=True)
    try:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", int(port))
    except OSError:
        writer.close()
        return

    async def write_inner(piece):
        inner_writer.write(piece)
        await inner_writer.drain()

    await asyncio.gather(pass_on(tls.read, write_inner, inner_writer.close), pass_on(inner_reader.read, tls.write, writer.close))


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)


asyncio.run(main())
