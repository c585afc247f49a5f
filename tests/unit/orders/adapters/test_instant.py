"""The outside in memory, where the contract suite cannot look: between two processes."""

from orders.adapters.instant import InstantCarrier

ADDRESS = {"street": "Elm Street 5", "city": "Springwood", "postcode": "12345", "country": "US"}


def test_a_parcel_booked_by_one_process_is_taken_by_another() -> None:
    number = InstantCarrier().create_shipment("o-1:shipment", order_id="o-1", address=ADDRESS, weight_g=250)
    other = InstantCarrier()

    other.hand_over(number)

    assert other.void(number) is False


def test_two_processes_give_a_parcel_the_same_number() -> None:
    numbers = {
        InstantCarrier().create_shipment("o-1:shipment", order_id="o-1", address=ADDRESS, weight_g=250)
        for _ in range(2)
    }

    assert len(numbers) == 1
