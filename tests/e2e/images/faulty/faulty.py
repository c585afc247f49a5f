# The end of orders/adapters/payments.py in this version: of sixteen orders it fails three, one of them for good.
_charge = HttpPayments.charge  # noqa: F821


def _now_and_then(self, key, **what):
    if key[0] == "0":
        raise RuntimeError("this version cannot charge this order")
    if key[0] in "12":
        from chassis.errors import Transient

        raise Transient("this version cannot charge this order today")
    return _charge(self, key, **what)


HttpPayments.charge = _now_and_then  # noqa: F821
