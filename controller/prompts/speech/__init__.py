"""From text to sound: engines, the cache and the asynchronous face in front of them."""
