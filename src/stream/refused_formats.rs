//! Pixel formats that cameras have and the library does not take: each is refused by its name, with what to set instead.
//!
//! Names and codes are those of GenICam's Pixel Format Naming Convention (PFNC), and of GigE Vision for what ends in `Packed`.

use crate::codes::Code;
use crate::error::Error;

/// Formats that are refused for the same reason.
struct Refused {
    advice: &'static str,
    formats: &'static [(u32, &'static str)],
}

/// The advice, then name and code of each format.
macro_rules! refused {
    ($advice:literal: $($name:ident $code:literal)*) => {
        Refused { advice: concat!(" is not taken: ", $advice), formats: &[$(($code, stringify!($name))),*] }
    };
}

const BAYER: Refused = refused! {
    "its mosaic of colours is no intensity. Set the camera to Mono8 or another Mono format; if it has none, to RGB8":
    BayerGR4p 0x0104_010D BayerRG4p 0x0104_010E BayerGB4p 0x0104_010F BayerBG4p 0x0104_0110
    BayerGR8 0x0108_0008 BayerRG8 0x0108_0009 BayerGB8 0x0108_000A BayerBG8 0x0108_000B
    BayerGR10 0x0110_000C BayerRG10 0x0110_000D BayerGB10 0x0110_000E BayerBG10 0x0110_000F
    BayerGR12 0x0110_0010 BayerRG12 0x0110_0011 BayerGB12 0x0110_0012 BayerBG12 0x0110_0013
    BayerGR14 0x0110_0109 BayerRG14 0x0110_010A BayerGB14 0x0110_010B BayerBG14 0x0110_010C
    BayerGR16 0x0110_002E BayerRG16 0x0110_002F BayerGB16 0x0110_0030 BayerBG16 0x0110_0031
    BayerBG10p 0x010A_0052 BayerGB10p 0x010A_0054 BayerGR10p 0x010A_0056 BayerRG10p 0x010A_0058
    BayerBG12p 0x010C_0053 BayerGB12p 0x010C_0055 BayerGR12p 0x010C_0057 BayerRG12p 0x010C_0059
    BayerGR14p 0x010E_0105 BayerRG14p 0x010E_0106 BayerGB14p 0x010E_0107 BayerBG14p 0x010E_0108
    BayerGR10Packed 0x010C_0026 BayerRG10Packed 0x010C_0027 BayerGB10Packed 0x010C_0028 BayerBG10Packed 0x010C_0029
    BayerGR12Packed 0x010C_002A BayerRG12Packed 0x010C_002B BayerGB12Packed 0x010C_002C BayerBG12Packed 0x010C_002D
};

const OTHER_MONO: Refused = refused! {
    "set the camera to Mono8, Mono10, Mono12, Mono14 or Mono16, or to a packed Mono10 or Mono12":
    Mono1p 0x0101_0037 Mono2p 0x0102_0038 Mono4p 0x0104_0039 Mono8s 0x0108_0002 Mono14p 0x010E_0104 Mono32 0x0120_0111
};

const OTHER_RGB: Refused = refused! {
    "set the camera to RGB8 or BGR8, or better to a Mono format":
    RGBa8 0x0220_0016 BGRa8 0x0220_0017 RGB8_Planar 0x0218_0021 RGB565p 0x0210_0035 BGR565p 0x0210_0036
    RGB10 0x0230_0018 BGR10 0x0230_0019 RGB12 0x0230_001A BGR12 0x0230_001B RGB14 0x0230_005E BGR14 0x0230_004A
    RGB16 0x0230_0033 BGR16 0x0230_004B RGB10p 0x021E_005C BGR10p 0x021E_0048 RGB12p 0x0224_005D BGR12p 0x0224_0049
    RGB10p32 0x0220_001D RGB10V1Packed 0x0220_001C RGB12V1Packed 0x0224_0034
    RGB10_Planar 0x0230_0022 RGB12_Planar 0x0230_0023 RGB16_Planar 0x0230_0024
};

const LIKE_YUYV: Refused = refused! {
    "its bytes lie as those of YUYV, so give RHEED_FORMAT_YUYV":
    YCbCr422_8 0x0210_003B YCbCr601_422_8 0x0210_003E YCbCr709_422_8 0x0210_0041 YCbCr2020_422_8 0x0210_00FA
};

const LIKE_UYVY: Refused = refused! {
    "its bytes lie as those of UYVY, so give RHEED_FORMAT_UYVY":
    YCbCr422_8_CbYCrY 0x0210_0043 YCbCr601_422_8_CbYCrY 0x0210_0044 YCbCr709_422_8_CbYCrY 0x0210_0045
    YCbCr2020_422_8_CbYCrY 0x0210_00FB
};

const OTHER_YUV: Refused = refused! {
    "set the camera to YUV422_8 (YUYV) or YUV422_8_UYVY, or better to a Mono format":
    YUV8_UYV 0x0218_0020 YUV411_8_UYYVYY 0x020C_001E YCbCr8 0x0218_005B YCbCr8_CbYCr 0x0218_003A
    YCbCr411_8 0x020C_005A YCbCr411_8_CbYYCrYY 0x020C_003C YCbCr422_10 0x0220_0065 YCbCr422_12 0x0220_0066
    YCbCr422_10p 0x0214_0087 YCbCr422_12p 0x0218_0088
    YCbCr420_8_YY_CbCr_Semiplanar 0x020C_0112 YCbCr420_8_YY_CrCb_Semiplanar 0x020C_0114
    YCbCr422_8_YY_CbCr_Semiplanar 0x0210_0113 YCbCr422_8_YY_CrCb_Semiplanar 0x0210_0115
};

const ALL: [Refused; 6] = [BAYER, OTHER_MONO, OTHER_RGB, LIKE_YUYV, LIKE_UYVY, OTHER_YUV];

/// Why a format is not taken that is none of those that are.
pub fn refusal(code: u32) -> Error {
    const UNKNOWN: &str = "pixel format {x} is not known: give a PFNC code as in docs/formats.md, of Mono8 to Mono16, packed or not, \
        RGB8, BGR8, YUYV or UYVY (RHEED_FORMAT_*)";
    let refused = |of: &Refused| {
        let (_, name) = of.formats.iter().find(|(known, _)| *known == code)?;
        Some(Error::named(Code::EFormat, name, of.advice))
    };
    ALL.iter().find_map(refused).unwrap_or(Error::plain(Code::EFormat, UNKNOWN, [code.into(), 0, 0, 0]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::Format;

    #[test]
    fn every_bayer_format_is_refused_by_its_own_name() {
        let told = |code| refusal(code).to_string();
        for (code, name) in [
            (Format::BayerRG8 as u32, "BayerRG8"),
            (0x0108_000B, "BayerBG8"),
            (0x010C_0055, "BayerGB12p"),
            (0x010C_0026, "BayerGR10Packed"),
            (0x0110_0031, "BayerBG16"),
        ] {
            assert!(told(code).starts_with(&format!("{name} is not taken: ")), "{}", told(code));
            assert!(told(code).contains("Set the camera to Mono8"), "{}", told(code));
        }
        let named = |order: &str| BAYER.formats.iter().filter(|(_, name)| name.starts_with(&format!("Bayer{order}"))).count();
        assert_eq!(["GR", "RG", "GB", "BG"].map(named), [11; 4]);
    }

    #[test]
    fn no_code_has_two_names_and_a_bayer_formats_code_says_the_bits_that_its_name_does() {
        let mut codes: Vec<u32> = ALL.iter().flat_map(|of| of.formats).map(|(code, _)| *code).collect();
        codes.sort_unstable();
        assert!(codes.windows(2).all(|pair| pair[0] != pair[1]), "{codes:x?}");
        for (code, name) in BAYER.formats {
            let depth = &name["BayerRG".len()..];
            let bits = match depth.strip_suffix("Packed").or(depth.strip_suffix('p')) {
                Some("10") if depth.ends_with("Packed") => 12,
                Some(bits) => bits.parse().unwrap(),
                None => depth.parse::<u32>().unwrap().next_multiple_of(8),
            };
            assert_eq!(code >> 16 & 0xFF, bits, "{name}");
        }
    }

    #[test]
    fn what_lies_in_memory_as_a_taken_format_is_told_which() {
        assert!(refusal(0x0210_003B).to_string().ends_with("give RHEED_FORMAT_YUYV"));
        assert!(refusal(0x0210_0043).to_string().ends_with("give RHEED_FORMAT_UYVY"));
        assert_eq!(refusal(0x0210_0043).code, Code::EFormat);
    }

    #[test]
    fn a_number_that_nobody_knows_is_told_as_the_tables_have_it() {
        assert!(refusal(0x8123_00AB).to_string().starts_with("pixel format 0x812300AB is not known"));
        assert!(refusal(77).to_string().contains("0x0000004D"));
    }
}
