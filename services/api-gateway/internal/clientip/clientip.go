// Package clientip finds the address of the client behind the platform's own proxies.
package clientip

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
)

type key struct{}

// Middleware puts the client's address into the context. X-Forwarded-For is believed only as far as it was written by the
// given networks: anyone else could write any address into it and be a new client with each request.
func Middleware(trusted []netip.Prefix) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			address := find(r.RemoteAddr, r.Header.Values("X-Forwarded-For"), trusted)
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, address)))
		})
	}
}

// From returns the address that Middleware found.
func From(ctx context.Context) netip.Addr {
	address, _ := ctx.Value(key{}).(netip.Addr)
	return address
}

// find goes from the peer towards the client, hop by hop, and stops at the first that is not one of our proxies.
func find(peer string, forwarded []string, trusted []netip.Prefix) netip.Addr {
	port, err := netip.ParseAddrPort(peer)
	if err != nil {
		return netip.Addr{}
	}
	address := plain(port.Addr())
	hops := strings.Split(strings.Join(forwarded, ","), ",")
	for i := len(hops) - 1; i >= 0 && within(address, trusted); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		address = plain(hop)
	}
	return address
}

// plain makes ::ffff:10.0.0.1 and fe80::1%eth0 the addresses that they are.
func plain(address netip.Addr) netip.Addr { return address.Unmap().WithZone("") }

func within(address netip.Addr, networks []netip.Prefix) bool {
	for _, network := range networks {
		if network.Contains(address) {
			return true
		}
	}
	return false
}
