"""A websocket on Krita's own event loop: Qt's socket under `websockets`' protocol without I/O.

No thread and no second event loop: Qt says when bytes have come, the protocol says what they mean
and what to answer. (Qt's own websockets are missing from Krita's official builds; an asyncio loop
that is pumped by a timer is too slow for live pictures.)
"""

from __future__ import annotations

import logging

from limner_krita.qt import QtCore, QtNetwork, Signal
from limner_krita.vendored import websockets
from limner_wire.limits import RESULT_BYTES
from limner_wire.messages import SUBPROTOCOL

client, frames, uri = map(websockets, ("client", "frames", "uri"))
Opcode, OPEN = frames.Opcode, websockets("protocol").State.OPEN

OPENING_MS = 5_000  # a backend that runs answers sooner
CLOSING_MS = 1_000
NO_HTTP = 1  # in place of a status
QUIET = logging.getLogger("limner.krita")
QUIET.setLevel(logging.CRITICAL)
DATA = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)


class WebSocket(QtCore.QObject):
    """One connection, from its opening to its end; a new one is made for each try.

    Signals:
        opened: messages may be sent.
        received: a message, str or bytes.
        closed: it is over, once; the reason for a log, and, if something answered that is no
            backend or did not let us in, its HTTP status (`NO_HTTP` if it had none), else 0.
    """

    opened = Signal()
    received = Signal(object)
    closed = Signal(str, int)

    def __init__(self, url: str, parent: QtCore.QObject | None = None) -> None:
        """A connection to `url`, ws:// or wss://; `open` begins it.

        Raises:
            ValueError: if the address is none, or encrypted and this Qt can't.
        """
        super().__init__(parent)
        try:
            self._uri = uri.parse_uri(url)
        except Exception as problem:
            raise ValueError(str(problem)) from problem
        self._protocol = client.ClientProtocol(
            self._uri, subprotocols=[SUBPROTOCOL], max_size=RESULT_BYTES, logger=QUIET
        )
        self._parts: list[bytes] = []
        self._is_text = self._is_open = self._is_over = False
        self._timer = QtCore.QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._timed_out)
        self._socket = self._made()

    def open(self) -> None:
        """Begin to connect: `opened` or `closed` follows."""
        self._timer.start(OPENING_MS)
        socket, is_secure = self._socket, self._uri.secure
        connect = socket.connectToHostEncrypted if is_secure else socket.connectToHost
        connect(self._uri.host, self._uri.port)

    def send(self, data: str | bytes) -> None:
        """Send a message; nothing if the connection is not open."""
        if self._protocol.state is not OPEN:
            return
        if isinstance(data, str):
            self._protocol.send_text(data.encode("utf-8"))
        else:
            self._protocol.send_binary(data)
        self._flush()

    def close(self) -> None:
        """Say that it is over, and end it."""
        if self._protocol.state is OPEN:
            self._protocol.send_close(1000)
            self._flush()
            self._socket.flush()
        self._end("closed")

    def abort(self, reason: str) -> None:
        """End it at once."""
        self._end(reason)

    # --- Qt's socket ------------------------------------------------------------------------

    def _made(self) -> QtNetwork.QTcpSocket:
        is_secure = self._uri.secure
        if is_secure and not QtNetwork.QSslSocket.supportsSsl():
            raise ValueError("this Krita has no encryption (OpenSSL)")
        socket = QtNetwork.QSslSocket(self) if is_secure else QtNetwork.QTcpSocket(self)
        socket.setProxy(QtNetwork.QNetworkProxy(QtNetwork.QNetworkProxy.ProxyType.NoProxy))
        (socket.encrypted if is_secure else socket.connected).connect(self._shake_hands)
        socket.readyRead.connect(self._read)
        socket.disconnected.connect(self._disconnected)
        getattr(socket, "errorOccurred", socket.error).connect(self._failed)
        return socket

    def _shake_hands(self) -> None:
        option = QtNetwork.QAbstractSocket.SocketOption.LowDelayOption
        self._socket.setSocketOption(option, 1)
        self._protocol.send_request(self._protocol.connect())
        self._flush()

    def _read(self) -> None:
        self._protocol.receive_data(self._socket.readAll().data())
        self._take_events()

    def _take_events(self) -> None:
        for event in self._protocol.events_received():
            if self._is_over:
                return
            if isinstance(event, frames.Frame):
                self._take(event)
            else:
                self._answered(event)
        if self._is_over:
            return
        self._flush()
        if not self._is_open and self._protocol.handshake_exc is not None:
            self._end(str(self._protocol.handshake_exc), NO_HTTP)
        elif self._protocol.close_expected() and self._is_open:
            self._timer.start(CLOSING_MS)

    def _answered(self, response: object) -> None:
        if self._protocol.handshake_exc is not None:
            status = getattr(response, "status_code", 0)
            self._end(str(self._protocol.handshake_exc), NO_HTTP if status == 101 else status)
            return
        self._is_open = True
        self._timer.stop()
        self.opened.emit()

    def _take(self, frame: object) -> None:
        """A whole message is told; a part waits for the others."""
        if frame.opcode not in DATA:
            return
        if frame.opcode is not Opcode.CONT:
            self._parts, self._is_text = [], frame.opcode is Opcode.TEXT
        self._parts.append(bytes(frame.data))
        if frame.fin:
            data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
            self._parts = []
            try:
                message = data.decode("utf-8") if self._is_text else data
            except UnicodeDecodeError:
                self._end("text that is no UTF-8")
                return
            self.received.emit(message)

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._socket.write(data)
            else:
                self._socket.disconnectFromHost()

    def _failed(self, _code: object = None) -> None:
        self._end(self._socket.errorString())

    def _disconnected(self) -> None:
        if not self._is_over:
            self._protocol.receive_eof()  # an answer may end with the connection
            self._take_events()
        self._end("closed")

    def _timed_out(self) -> None:
        self._end("no answer")

    def _end(self, reason: str, status: int = 0) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._timer.stop()
        if (told := self._protocol.close_rcvd) is not None:
            reason = f"{told.code} {told.reason}".strip()
        self._socket.abort()
        self.closed.emit(reason, status)
