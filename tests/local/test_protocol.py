"""The local AWS speaks HTTP as S3 does, to whatever client."""

import socket
import ssl


def test_a_client_that_would_speak_http_2_is_offered_1_1_only(local_aws):
    context = ssl.create_default_context(cafile=local_aws.ca_bundle)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", local_aws.port)) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        assert connection.selected_alpn_protocol() == "http/1.1"
