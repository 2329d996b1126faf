package rig

import (
	"io"
	"net"
	"sync"
	"testing"
)

// BreakingRelay starts a relay to a server and returns its address. It ends each connection in the middle of an answer, once some
// bytes, and up to half as many more, have come from the server.
func BreakingRelay(t testing.TB, address string, bytes int64) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var relays sync.WaitGroup
	t.Cleanup(func() { l.Close(); relays.Wait() })
	relays.Go(func() {
		for n := int64(1); ; n++ {
			client, err := l.Accept()
			if err != nil {
				return
			}
			relays.Go(func() {
				defer client.Close()
				server, err := net.Dial("tcp", address)
				if err != nil {
					return
				}
				defer server.Close()
				relays.Go(func() {
					_, _ = io.Copy(server, client)
					server.Close()
				})
				_, _ = io.CopyN(client, server, bytes+n*7919%(bytes/2))
			})
		}
	})
	return l.Addr().String()
}
