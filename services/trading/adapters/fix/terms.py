"""The tags, message types and values of FIX 4.4 that this gateway speaks. Pure."""

from trading.domain.terms import Outcome, Side, TimeInForce, Type

LOGON, HEARTBEAT, TEST_REQUEST, RESEND_REQUEST = b"A", b"0", b"1", b"2"
REJECT, SEQUENCE_RESET, LOGOUT, BUSINESS_REJECT = b"3", b"4", b"5", b"j"
NEW, CANCEL, REPLACE, STATUS, MASS_CANCEL = b"D", b"F", b"G", b"H", b"q"
EXECUTION, CANCEL_REJECT, MASS_CANCEL_REPORT = b"8", b"9", b"r"

ADMINISTRATIVE = {LOGON, HEARTBEAT, TEST_REQUEST, RESEND_REQUEST, REJECT, SEQUENCE_RESET, LOGOUT}
APPLICATION = {NEW, CANCEL, REPLACE, STATUS, MASS_CANCEL}

ACCOUNT, BEGIN_SEQ, CL_ORD_ID, END_SEQ, GAP_FILL = 1, 7, 11, 16, 123
MSG_SEQ_NUM, MSG_TYPE, NEW_SEQ_NO, ORD_TYPE, ORDER_QTY = 34, 35, 36, 40, 38
ORIG_CL_ORD_ID, POSS_DUP, PRICE, SENDER, SIDE = 41, 43, 44, 49, 54
SENDING_TIME, STOP_PRICE, SYMBOL, TARGET, TEST_REQ_ID, TEXT = 52, 99, 55, 56, 112, 58
TIME_IN_FORCE, ENCRYPT, HEART_BT_INT, RESET_SEQ_NUM = 59, 98, 108, 141
PASSWORD, MASS_CANCEL_TYPE = 554, 530

SIDES = {b"1": int(Side.BUY), b"2": int(Side.SELL)}
SIDES_OUT = {number: value for value, number in SIDES.items()}
TYPES = {b"1": int(Type.MARKET), b"2": int(Type.LIMIT), b"3": int(Type.STOP), b"4": int(Type.STOP_LIMIT)}
TIMES_IN_FORCE = {
    b"0": int(TimeInForce.DAY),
    b"1": int(TimeInForce.GTC),
    b"3": int(TimeInForce.IOC),
    b"4": int(TimeInForce.FOK),
}

EXEC_TYPES: dict[int, tuple[bytes, bytes]] = {
    Outcome.ACKNOWLEDGED: (b"0", b"0"),
    Outcome.REFUSED: (b"8", b"8"),
    Outcome.CANCELLED: (b"4", b"4"),
    Outcome.EXPIRED: (b"C", b"C"),
    Outcome.REPLACED: (b"5", b"0"),
    Outcome.STOP_TRIGGERED: (b"L", b"0"),
}
"""ExecType (150) and OrdStatus (39) of each outcome but executions."""
