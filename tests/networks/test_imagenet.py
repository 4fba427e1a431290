"""ImageNet's classes, and those of a target that share their names."""

from __future__ import annotations

from tlbench.networks import imagenet


def test_there_are_a_thousand_classes_in_the_published_order():
    """The first, and those at both ends of the heads that Keras publishes."""
    names = imagenet.classes()

    assert 1000 == len(names)
    assert ("tench", "goldfish", "toilet tissue") == (names[0], names[1], names[-1])


def test_a_class_is_found_at_the_end_of_a_name():
    """In singular and plural, in any case, with any separator."""
    found = imagenet.shared(["cat", "Sports_Cars", "tractor", "person", "oboe "])

    assert ("tiger cat", "Persian cat", "Siamese cat") == found["cat"][:3]
    assert ("sports car",) == found["Sports_Cars"]
    assert {"cat", "Sports_Cars", "tractor", "oboe "} == set(found)


def test_the_note_names_what_is_shared():
    """And says so where nothing is."""
    assert imagenet.note(["car", "person"]).endswith("are among them: car (freight car, passenger car, sports car).")
    assert ", Siamese cat, …)." in imagenet.note(["cat"])
    assert imagenet.note(["person", "?"]).endswith("none of them is a class of these images.")
