// SPDX-License-Identifier: GPL-2.0

// The poller of Go's runtime: it puts a file that it can wait for into non-blocking mode, and then lets other
// goroutines run while one waits.
package main

import (
	"errors"
	"fmt"
	"os"
	"sort"
	"strconv"
	"time"
)

// More than fit.
const messages = 1000

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func expect(right bool, what ...any) {
	if !right {
		panic(fmt.Sprint(what...))
	}
}

func open() *os.File {
	file, err := os.OpenFile("/dev/kmsgpipe0", os.O_RDWR, 0)
	must(err)
	return file
}

// receive returns the next message.
func receive(file *os.File) string {
	buffer := make([]byte, 256)
	n, err := file.Read(buffer)
	must(err)
	return string(buffer[:n])
}

// Goroutines that wait for messages, each with a separate file, and one that waits for room.
func eachMessageGoesToOne(file *os.File) {
	received := make(chan int)
	for i := 0; i < 4; i++ {
		go func() {
			own := open()
			defer own.Close()
			for message := ""; message != "end"; {
				message = receive(own)
				if number, err := strconv.Atoi(message); err == nil {
					received <- number
				}
			}
			received <- -1
		}()
	}
	go func() {
		for i := 0; i < messages+4; i++ {
			text := strconv.Itoa(i)
			if i >= messages {
				text = "end"
			}
			_, err := file.WriteString(text)
			must(err)
		}
	}()
	var all []int
	for ended := 0; ended < 4; {
		if number := <-received; number < 0 {
			ended++
		} else {
			all = append(all, number)
		}
	}
	sort.Ints(all)
	expect(len(all) == messages, len(all), " messages")
	for i, number := range all {
		expect(i == number, number, " instead of ", i)
	}
}

// A read that has waited until its deadline takes nothing, and the next one takes what comes.
func deadline(file *os.File) {
	must(file.SetReadDeadline(time.Now().Add(10 * time.Millisecond)))
	_, err := file.Read(make([]byte, 256))
	expect(errors.Is(err, os.ErrDeadlineExceeded), err)
	must(file.SetReadDeadline(time.Time{}))
	_, err = file.WriteString("later")
	must(err)
	message := receive(file)
	expect(message == "later", message)
}

// Closing a file ends the read that waits for it.
func closing(*os.File) {
	own, ended := open(), make(chan error)
	go func() {
		_, err := own.Read(make([]byte, 256))
		ended <- err
	}()
	must(own.Close())
	err := <-ended
	expect(errors.Is(err, os.ErrClosed), err)
}

func main() {
	// Long enough even for a kernel with all debug options.
	time.AfterFunc(300*time.Second, func() { panic("it hangs") })
	file := open()
	fmt.Println("TAP version 13\n1..3")
	eachMessageGoesToOne(file)
	fmt.Println("ok 1 each message goes to one goroutine")
	deadline(file)
	fmt.Println("ok 2 a read ends at its deadline and takes no message")
	closing(file)
	fmt.Println("ok 3 closing ends a read that waits")
}
