// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import TestSupport
import Testing

@testable import HTTPAPI

/// Files that are no usable certificate or key: the messages say what is the matter with them. The keys protect nothing.
@Suite struct TLSIdentityTests {
    private let folder = TemporaryFolder()

    /// A file with the contents `text`.
    private func file(_ name: String, _ text: String) -> String {
        let path = folder.path + "/" + name
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        let bytes = Array((text + "\n").utf8)
        _ = write(file, bytes, bytes.count)
        close(file)
        return path
    }

    @Test("a file that is absent, no PEM, with a passphrase, or of another pair is told from the others")
    func reasons() throws {
        let (certificate, key) = (file("tls.crt", Self.certificate), file("tls.key", Self.key))
        _ = try TLSIdentity(certificate: certificate, key: key)
        let (junk, absent) = (file("junk", "no certificate"), folder.path + "/absent")
        let cases = [
            (absent, key, "absent cannot be read: No such file or directory"),
            (junk, key, "junk cannot be read: there is no PEM certificate in it"),
            (certificate, absent, "absent cannot be read: No such file or directory"),
            (certificate, junk, "junk cannot be read: there is no PEM key without a passphrase in it"),
            (certificate, file("a.key", Self.encrypted), "a.key cannot be read: there is no PEM key without"),
            (certificate, file("b.key", Self.traditional), "b.key cannot be read: there is no PEM key without"),
            (certificate, file("c.key", Self.other), "c.key is not that of the certificate in \(certificate)"),
        ]
        for (certificate, key, words) in cases {
            let error = #expect(throws: TLSIdentity.Unusable.self) {
                _ = try TLSIdentity(certificate: certificate, key: key)
            }
            let text = error?.description ?? ""
            #expect(text.contains(words) && !text.contains("failedToLoad"), "\(text)")
        }
    }

    @Test("what is said of a key that others can read leaves it readable for the daemon")
    func exposure() throws {
        let key = file("tls.key", Self.key)
        func exposure(_ mode: mode_t, isOwn: Bool, isMember: Bool) throws -> String? {
            chmod(key, mode)
            let file = try FileAttributes(following: key)
            let user = isOwn ? file.owner : file.owner + 1
            let groups = isMember ? [file.group + 1, file.group] : [file.group + 1]
            return TLSIdentity.exposure(of: key, file, user: user, groups: groups)
        }
        let begin = "the key in \(key) can be read by "
        #expect(try exposure(0o600, isOwn: true, isMember: true) == nil)
        #expect(try exposure(0o640, isOwn: true, isMember: true) == begin + "its group (mode 0640); chmod it to 0400")
        #expect(try exposure(0o640, isOwn: false, isMember: true) == nil)
        #expect(
            try exposure(0o644, isOwn: false, isMember: true) == begin + "every user (mode 0644); chmod it to 0640"
        )
        let remedy = "let the daemon's group read it, and no other: chgrp guestlog \(key) && chmod 0640 \(key)"
        #expect(
            try exposure(0o644, isOwn: false, isMember: false)
                == begin + "its group and by every user (mode 0644); \(remedy)"
        )
    }

    /// A certificate.
    private static let certificate = """
        -----BEGIN CERTIFICATE-----
        MIIBdDCCARugAwIBAgIUQRGpxbejte8jjN6V4PlMmS1fS8MwCgYIKoZIzj0EAwIw
        DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMzAyMzEyMjFaGA8yMTI2MTEwNjIzMTIy
        MVowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABISm
        QBCejxgbqflauJjejmi1wE7KnPThS2D7wLB1F+pejmhrxTtMDwzv4IhgvOqy66S8
        4ZpNJBC0inq4wVS7W0KjUzBRMB0GA1UdDgQWBBRc5MTcuYrknseDfRKvwEhc0Hga
        mzAfBgNVHSMEGDAWgBRc5MTcuYrknseDfRKvwEhc0HgamzAPBgNVHRMBAf8EBTAD
        AQH/MAoGCCqGSM49BAMCA0cAMEQCIDYGRhQlXhbYBCSy1OxT4T3Pg0lks0N8ka1a
        /lAz/GuIAiBDR3uLmMiS6WWvkGP1i94xqCuheYrVJ85RboRWTE+b2w==
        -----END CERTIFICATE-----
        """

    /// Its key.
    private static let key = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgconTUl7Gm8+T0eT0
        FHkBp4Drv4hmDR01ye2E05pB4kShRANCAASEpkAQno8YG6n5WriY3o5otcBOypz0
        4Utg+8CwdRfqXo5oa8U7TA8M7+CIYLzqsuukvOGaTSQQtIp6uMFUu1tC
        -----END PRIVATE KEY-----
        """

    /// The key with a passphrase.
    private static let encrypted = """
        -----BEGIN ENCRYPTED PRIVATE KEY-----
        MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhU07isA+Mp2wICCAAw
        DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEGWY84o1n2+sAqRgpTH9UOwEgZCr
        eHUvbUkEz/Wh0GWYqCvsZ/rcN7TUmE70kSWgbn1vsOa34ku5rurn2ItofpdPb/7P
        c+x3D1P8V+VbvtVntgvm/DuWgLGGU/nLrju3LHzeGCwePBvgR66zlhLMU2rYcgO8
        ZbbNCi+Bslah7hzgPOeu/sRCZiSb3tTgHJG7k8D8oh+KVCClPJClVlbyjqom+no=
        -----END ENCRYPTED PRIVATE KEY-----
        """

    /// The key with a passphrase, as `openssl ec` writes it.
    private static let traditional = """
        -----BEGIN EC PRIVATE KEY-----
        Proc-Type: 4,ENCRYPTED
        DEK-Info: AES-256-CBC,E3156DE01459E714BBD4640A595392BA

        fDJouejQXXOhkpQMyhjRVrzxVYIWsz1L943Cn3UfkyXoSlJO5UJ6oLryu+CxASJy
        zKKRsnMLogOh79N6xDegjFT+Bb8ipN4VL0/c664S6ysKyFn+NmKNMMINCqQEnKrE
        l5W7oob0bgnqjQqVkRaXbk4/z/lrAOSJMtuC1IKFNJY=
        -----END EC PRIVATE KEY-----
        """

    /// Another key.
    private static let other = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQghiuc0DE5Fp4BJJw1
        LzNej/yYI0uHv7gDDexOFXKebMGhRANCAAQzgAEmeEr2LRsQHHA0YFSnzd4ePiWN
        FJZEY7Xcr2wF4WGcKQJDrNNLQmWhkGeMjP8SEXGWV45tDCgo4kAmqUVi
        -----END PRIVATE KEY-----
        """
}
