"""A server and a client in one process."""
import socket
import threading

server = socket.create_server(("127.0.0.1", 0))
thread = threading.Thread(target=lambda: server.accept()[0].close())
thread.start()
with socket.create_connection(server.getsockname()) as client:
    print(client.recv(10))
thread.join()
server.close()
