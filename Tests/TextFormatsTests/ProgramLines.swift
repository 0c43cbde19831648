// SPDX-License-Identifier: Apache-2.0

/// Lines of programs as their default formats write them, each with its severity as in `BootLogs`.
enum ProgramLines {
    static let all = #"""
        w2024-01-01 10:00:00,123 - util.py[WARNING]: Failed
        w[   23.123456] cloud-init[812]: 2024-01-01 10:00:00,123 - util.py[WARNING]: Failed
        e2024-01-01 10:00:00,123 - cc_x.py[ERROR]: x
        e2024-01-01 10:00:00,123 - root - ERROR - message
        e2024-01-01 10:00:00 | ERROR    | app:main:1 - loguru
        .2024-01-01 10:00:00 | INFO     | app:main:1 - ERROR
        e2024/01/01 10:00:00 [error] 123#0: *1 open()
        e2024/01/01 10:00:00 ERROR boom
        .2024/01/01 10:00:00 INFO ERROR
        .2024/01/01 10:00:00 http: error
        e2024-01-01 10:00:00.123 UTC [812] ERROR:  relation
        e2024-01-01 10:00:00.123 CET [812] postgres@db ERROR:  relation
        c2024-01-01 10:00:00.123 UTC [812] FATAL:  x
        m2024-01-01 10:00:00.123 UTC [812] PANIC:  x
        .2024-01-01 10:00:00.123 UTC [812] LOG:  ERROR
        w2024-01-01 10:00:00.123 UTC [812] WARNING:  x
        e[10:00:00 ERR] Health check
        w[10:00:00 WRN] Health check
        c[10:00:00 FTL] Health check
        .[10:00:00 INF] Health ERROR
        efail: Microsoft.Hosting[0]
        .fail: none
        e[2024-01-01T00:00:00Z ERROR foo] x
        .[2024-01-01T00:00:00Z INFO  foo] ERROR
        e2024-01-01T10:00:00.123 [anonymous-instance:main:ERROR:src/main.rs:1] x
        .2024-01-01T10:00:00.123 [anonymous-instance:main:INFO:src/main.rs:1] ERROR x
        ecloud-hypervisor: 12.345678s: <vmm> ERROR:vmm/src/lib.rs:1 -- x
        .cloud-hypervisor: 12.345678s: <vmm> INFO:vmm/src/lib.rs:1 -- ERROR
        eERRO[0000] could not start
        cFATA[0000] could not start
        wWARN[0000] could not start
        .INFO[0000] could not start error
        e<error>  [1704103200.1234] device (eth0): x
        wNetworkManager[812]: <warn>  [1704103200.1234] x
        .NetworkManager[812]: <info>  [1704103200.1234] error
        .<error>text</error>
        .<error> text
        e01-01 10:00:00.123   812   812 E AndroidRuntime: FATAL EXCEPTION: main
        w01-01 10:00:00.123   812   812 W System: x
        .01-01 10:00:00.123   812   812 I System: ERROR
        eE/ActivityManager(  812): ANR
        .I/ActivityManager(  812): error
        eE: Unable to locate package foo
        wW: GPG error: http
        ecloud-init[812]: E: Unable to locate package foo
        .E: 5
        .I: error
        eJan  1 10:00:00 ERROR foo
        eMon Jan  1 10:00:00 2024 ERROR foo
        e  ERROR: foo
        e*** ERROR: foo
        w(XEN) *** WARNING: x
        e**ERROR** foo
        e==> ERROR: foo
        e--> ERROR: foo
        .  error: foo
        .  Error handling
        .--ERRORS--
        e{"levelname": "ERROR", "message": "x"}
        e{"log.level":"error","message":"x"}
        e{"@level":"error","@message":"x"}
        e{"t":{"$date":"2024-01-01"},"s":"E","c":"x","msg":"y"}
        .{"t":{"$date":"2024-01-01"},"s":"I","c":"x","msg":"E"}
        e{"level":50,"time":1,"msg":"pino"}
        c{"level":60,"time":1,"msg":"pino"}
        .{"level":50,"player":"x"}
        .{"level":500,"time":1}
        e{"PRIORITY":"3","MESSAGE":"x"}
        .{"priority":6,"MESSAGE":"error"}
        e{"@t":"x","@l":"Error","@mt":"x"}
        eTraceback (most recent call last):
        ethread 'main' panicked at src/main.rs:4:5:
        ethread 'main' (812) panicked at src/main.rs:4:5:
        cfatal error: all goroutines are asleep - deadlock!
        eException in thread "main" java.lang.NullPointerException
        eSegmentation fault (core dumped)
        eE, [2024-01-01T10:00:00.123456 #812] ERROR -- : boom
        .I, [2024-01-01T10:00:00.123456 #812]  INFO -- : ERROR
        c[01-Jan-2024 10:00:00 UTC] PHP Fatal error:  Uncaught x
        e[01-Jan-2024 10:00:00] ERROR: x
        e2024.01.01 10:00:00.123456 [ 812 ] {} <Error> Application: x
        e2024-01-01 10:00:00.123+0000: 812: error : virFoo:12 : x
        .2024-01-01 10:00:00.123+0000: 812: info : virFoo:12 : error
        e[Mon Jan 01 10:00:00.123456 2024] [core:error] [pid 12] AH00001: x
        .[Mon Jan 01 10:00:00.123456 2024] [mpm_event:notice] [pid 12] AH00001: error
        e[Wed Oct 11 14:32:52 2000] [error] [client 127.0.0.1] x
        e10:00AM ERR boom
        .10:00AM INF ERR
        e10:00:00.123 [error] boom
        w2024-01-01T10:00:00.123456Z qemu-system-x86_64: warning: x
        e[2024-01-01 10:00:00 +0000] [812] [ERROR] Worker failed
        eE20240101 10:00:00.123456  812 x.cc:1] boom
        .PANIC button pressed
        .ALERT manager started
        mPANIC: no checkpoint
        eERROR! the role
        m2024-01-01T10:00:00,123456+00:00 BUG: soft lockup
        .2024-01-01 10:00:00 web01 app up
        .10:00:00 up 1 day
        .01-01 10:00:00.123 E x
        .Jan  1 10:00:00 web01 foo ERROR
        .12.345678s: ok
        .1.2 [x
        .[1704103200.123] 
        .1704103200.123] ERROR foo
        e[1704103200.123] ERROR foo
        e2024-01-01 10:00:00 [main] [com.foo] ERROR boom
        eJan  1 00:00:11 buildroot kern.err kernel: foo
        .Jan  1 00:00:11 buildroot kern.info kernel: error: foo
        wJan  1 00:00:11 (none) daemon.warn udhcpc[1]: foo
        eThu Jan  1 00:00:11 1970 kern.err kernel: [   12.3] foo
        .Thu Jan  1 00:00:11 1970 daemon.notice netifd: error: foo
        eJan 01 10:00:00.123 ERRO Failed
        .Jan 01 10:00:00.123 INFO Failed ERRO
        e[2024-01-01 10:00:00.123][12][error][main] [source/x.cc:1] boom
        .[2024-01-01 10:00:00.123][12][info][main] [source/x.cc:1] error
        e[2024-01-01 10:00:00,123: ERROR/MainProcess] Task
        .[2024-01-01 10:00:00,123: INFO/MainProcess] ERROR
        e2024-01-01T10:00:00.123Z pid=812 tid=abc ERROR: boom
        e2024/01/01 10:00:00 kid1| ERROR: x
        e2024-01-01T10:00:00Z E! [inputs.cpu] boom
        .2024-01-01T10:00:00Z I! [inputs.cpu] ERROR
        e2024-01-01T10:00:00.123+0000 E  NETWORK  [conn1] boom
        .2024-01-01T10:00:00.123+0000 I  NETWORK  [conn1] ERROR
        e2024-01-01T10:00:00.000+0100\#terror\#tfoo.go:1\#tmsg
        e2024-01-01T10:00:00.000Z\#tERROR\#tmain.go:12\#tboom
        .2024-01-01T10:00:00.000Z\#tINFO\#tmain.go:12\#terror
        aJan  1 10:00:00 kernel: BUG: x
        e10:00:00.123 [main] ERROR com.Foo - x
        eERROR [main] 2024-01-01 x
        eERROR - x
        e[ERROR] 2024-01-01 x
        e2024-01-01T10:00:00Z ERR boom
        cignition[812]: CRITICAL : Ignition failed
        .ignition[812]: INFO     : Ignition 2.14
        c[   12.345678] ignition[812]: CRITICAL : Ignition failed
        aOct 11 22:14:15.123456 web kernel: BUG: x
        eMon 2024-01-01 10:00:00 UTC web sshd.service[812]: error: x
        .kern.error is a word
        .mail.err
        .user.name is set
        .Jan  1 00:00:11 web user.js loaded
        .2024-01-01 10:00:00 E x
        .[2024-01-01 10:00:00] x=1 ok
        .2024-01-01T10:00:00Z level=info msg=ERROR
        .Jan 01 10:00:00 web01 ok
        .2024-01-01 10:00:00 I AM here
        """#
}
