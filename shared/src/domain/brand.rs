//! The product's name and look in mails, as the operator sets them.

use std::fmt;
use std::str::FromStr;

use super::text::line;

/// The maximum length of a product's or a sender's name, in characters.
const MAX_NAME: usize = 64;

/// The least contrast of text to its background, as WCAG 2 demands for text of any size.
const MIN_CONTRAST: f64 = 4.5;

/// A value that isn't valid, by what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidBrand(pub &'static str);

/// The brand of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brand {
    product: String,
    sender: String,
    support: Option<String>,
    color: BrandColor,
    logo: Option<String>,
}

impl Brand {
    /// A brand with the product's name, which is also that of the mails' sender.
    ///
    /// # Errors
    /// The name isn't one visible line of 1 to 64 characters.
    pub fn new(product: &str, color: BrandColor) -> Result<Self, InvalidBrand> {
        let product = checked_name(product)?;
        Ok(Self {
            sender: product.clone(),
            product,
            support: None,
            color,
            logo: None,
        })
    }

    /// The brand with another name for the mails' sender.
    ///
    /// # Errors
    /// As [`Brand::new`].
    pub fn with_sender(mut self, sender: &str) -> Result<Self, InvalidBrand> {
        self.sender = checked_name(sender)?;
        Ok(self)
    }

    /// The brand with an address for questions, to which answers to the mails go.
    ///
    /// # Errors
    /// The address isn't a plain mail address.
    pub fn with_support(mut self, address: &str) -> Result<Self, InvalidBrand> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "@._+-".contains(c);
        let parts = address.split_once('@');
        let is_address = parts.is_some_and(|(user, host)| {
            !user.is_empty() && !host.is_empty() && !host.contains('@')
        });
        if !is_address || !address.chars().all(is_plain) || address.len() > 254 {
            return Err(InvalidBrand("is not a plain mail address"));
        }
        self.support = Some(address.to_owned());
        Ok(self)
    }

    /// The brand with a picture instead of the product's name at the top of mails.
    ///
    /// # Errors
    /// The URL isn't one of https, or has characters that a URL hasn't.
    pub fn with_logo(mut self, url: &str) -> Result<Self, InvalidBrand> {
        let is_plain = |c: char| c.is_ascii_graphic() && !"\"'<>\\^`{|}".contains(c);
        let host = url.strip_prefix("https://").unwrap_or_default();
        if host.is_empty() || host.starts_with('/') || !url.chars().all(is_plain) {
            return Err(InvalidBrand("is not an https URL"));
        }
        self.logo = Some(url.to_owned());
        Ok(self)
    }

    /// The product's name.
    pub fn product(&self) -> &str {
        &self.product
    }

    /// The name of the mails' sender.
    pub fn sender(&self) -> &str {
        &self.sender
    }

    /// The address for questions.
    pub fn support(&self) -> Option<&str> {
        self.support.as_deref()
    }

    /// The colour of buttons and links.
    pub fn color(&self) -> BrandColor {
        self.color
    }

    /// The https URL of the logo.
    pub fn logo(&self) -> Option<&str> {
        self.logo.as_deref()
    }
}

fn checked_name(name: &str) -> Result<String, InvalidBrand> {
    let is_name = (1..=MAX_NAME).contains(&name.chars().count())
        && name.trim() == name
        // A line that is shown unchanged has no invisible characters and no line breaks.
        && line(name) == name;
    if is_name {
        Ok(name.to_owned())
    } else {
        Err(InvalidBrand(
            "is not one visible line of 1 to 64 characters",
        ))
    }
}

/// A colour on which white text can be read, and which can be read on white. Its `Display` is `#rrggbb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrandColor([u8; 3]);

impl BrandColor {
    /// The contrast of white to the colour, from 1 to 21, as WCAG 2 computes it.
    fn contrast_to_white(self) -> f64 {
        let linear = |channel: u8| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.040_45 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        let [red, green, blue] = self.0.map(linear);
        let luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        1.05 / (luminance + 0.05)
    }
}

impl FromStr for BrandColor {
    type Err = InvalidBrand;

    fn from_str(text: &str) -> Result<Self, InvalidBrand> {
        let digits = text.strip_prefix('#').unwrap_or_default();
        let mut channels = [0; 3];
        hex::decode_to_slice(digits, &mut channels)
            .map_err(|_| InvalidBrand("is not a colour of the form #rrggbb"))?;
        let color = Self(channels);
        if color.contrast_to_white() < MIN_CONTRAST {
            return Err(InvalidBrand(
                "is too light: white text on it needs a contrast of 4.5",
            ));
        }
        Ok(color)
    }
}

impl fmt::Display for BrandColor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brand() -> Brand {
        Brand::new("Latchkey", "#2b5dd0".parse().unwrap()).unwrap()
    }

    #[test]
    fn a_color_is_one_that_white_can_be_read_on() {
        for color in ["#2b5dd0", "#000000", "#767676", "#B3261E"] {
            let read: BrandColor = color.parse().unwrap();
            assert_eq!(read.to_string(), color.to_lowercase());
        }
        for light in ["#777777", "#ffffff", "#ffcc00", "#3f8cff"] {
            let error = light.parse::<BrandColor>().unwrap_err();
            assert!(error.to_string().contains("too light"), "{light}");
        }
        for bad in [
            "", "#", "2b5dd0", "#2b5", "#2b5dd", "#2b5dd00", "#gggggg", "blue",
        ] {
            let error = bad.parse::<BrandColor>().unwrap_err();
            assert!(error.to_string().contains("#rrggbb"), "{bad}");
        }
    }

    #[test]
    fn the_contrast_is_that_of_wcag() {
        let contrast = |color: [u8; 3]| BrandColor(color).contrast_to_white();
        assert!((contrast([0; 3]) - 21.0).abs() < 1e-9);
        assert!((contrast([255; 3]) - 1.0).abs() < 1e-9);
        assert!((contrast([0x76; 3]) - 4.54).abs() < 0.005);
    }

    #[test]
    fn a_logo_comes_over_https() {
        let branded = brand()
            .with_logo("https://cdn.example/logo.png?v=2")
            .unwrap();
        assert_eq!(branded.logo(), Some("https://cdn.example/logo.png?v=2"));
        for bad in [
            "",
            "http://cdn.example/logo.png",
            "https://",
            "https:///logo.png",
            "https://cdn.example/a b.png",
            "https://cdn.example/\"onerror=x",
            "javascript:alert(1)",
            "//cdn.example/logo.png",
        ] {
            assert!(brand().with_logo(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_support_address_is_a_plain_one() {
        let branded = brand().with_support("help+tokens@acme.example").unwrap();
        assert_eq!(branded.support(), Some("help+tokens@acme.example"));
        for bad in [
            "",
            "help",
            "@acme.example",
            "help@",
            "a@b@c",
            "a b@c",
            "a@b\r\nBcc: x",
            "<a@b>",
        ] {
            assert!(brand().with_support(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_is_one_visible_line() {
        assert_eq!(brand().sender(), "Latchkey");
        let branded = brand().with_sender("Prüfer & Söhne").unwrap();
        assert_eq!(
            (branded.sender(), branded.product()),
            ("Prüfer & Söhne", "Latchkey")
        );
        for bad in ["", " ", " x", "a\nb", "a\u{202e}b", &"x".repeat(65)] {
            assert!(brand().with_sender(bad).is_err(), "{bad:?}");
        }
    }
}
