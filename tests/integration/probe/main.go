// A server that does as its environment says, to see how a deploy takes it.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

var version = "dev"

func main() {
	if code, err := strconv.Atoi(os.Getenv("EXIT_CODE")); err == nil {
		fmt.Println(os.Getenv("LAST_WORDS"))
		fmt.Println("probe", version, "cannot start: told to end with", code)
		os.Exit(code)
	}
	for eaten := [][]byte{}; os.Getenv("EAT") != ""; {
		eaten = append(eaten, bytes.Repeat([]byte{1}, 4<<20))
	}
	if len(os.Args) > 1 && os.Args[1] == "once" {
		fmt.Println("begins once")
		seconds, _ := strconv.Atoi(os.Getenv("SECONDS"))
		time.Sleep(time.Duration(seconds) * time.Second)
		fmt.Println("done once")
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "echo" {
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			fmt.Println("heard", lines.Text())
		}
		select {}
	}
	fmt.Println("probe", version, "listens")
	http.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, version) })
	http.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) {
		if status, err := strconv.Atoi(os.Getenv("READY_STATUS")); err == nil {
			w.WriteHeader(status)
			fmt.Fprintln(w, "postgres: connection refused")
		}
	})
	http.HandleFunc("/say/", func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println("said", strings.TrimPrefix(r.URL.Path, "/say/"))
	})
	http.HandleFunc("/env/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, os.Getenv(strings.TrimPrefix(r.URL.Path, "/env/")))
	})
	if err := http.ListenAndServe(":8080", nil); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
