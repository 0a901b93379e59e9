//! What customers of a flower wholesaler are called.

use super::random::Random;

/// Adds a customer's name to `name`: about one in twelve is not ASCII, a few hold quotes.
pub(super) fn write_name(random: &mut Random, name: &mut String) {
    match random.below(24) {
        0 | 1 => {
            name.push_str(random.pick(ACCENTED_KINDS));
            name.push_str(random.pick(ACCENTED_PLACES));
        }
        2..=6 => {
            name.push_str(random.pick(SURNAMES));
            name.push_str(" & ");
            name.push_str(random.pick(SURNAMES));
            name.push(' ');
            name.push_str(random.pick(BUSINESSES));
        }
        7..=11 => {
            name.push_str(random.pick(FIRST_NAMES));
            name.push_str("'s ");
            name.push_str(random.pick(FLOWERS));
            name.push(' ');
            name.push_str(random.pick(BUSINESSES));
        }
        12 => {
            name.push_str("The \"");
            name.push_str(random.pick(FLOWERS));
            name.push_str("\" Studio by ");
            name.push_str(random.pick(FIRST_NAMES));
        }
        13..=15 => {
            let house = 1 + random.below(99);
            let street = 1 + random.below(40);
            name.push_str(&format!("{house}-{street} "));
            name.push_str(random.pick(SHOUTED));
        }
        16..=18 => {
            name.push_str(random.pick(SPANISH_KINDS));
            name.push_str(random.pick(SURNAMES));
            name.push_str(random.pick(COMPANY_FORMS));
        }
        _ => {
            name.push_str(random.pick(TOWNS));
            name.push(' ');
            name.push_str(random.pick(FLOWERS));
            name.push(' ');
            name.push_str(random.pick(BUSINESSES));
        }
    }
}

/// Who sells to them: Komet's id and name.
pub(super) static SALES_PEOPLE: &[(u32, &str)] = &[
    (1819, "Julian Mejía"),
    (1804, "Ana Torres"),
    (1822, "Marcus Webb"),
    (1831, "Diana Ortiz"),
    (1847, "Kelly Brandt"),
    (1850, "Luis Cardenas"),
    (1866, "Priya Nair"),
    (1873, "Tom Okafor"),
    (1888, "Sofia Ramos"),
    (1902, "Erik Lindgren"),
    (1911, "Grace Chen"),
    (1926, "Paula Vargas"),
    (2004, "Hannah Frost"),
    (2017, "Andres Rojas"),
    (2033, "Megan Doyle"),
    (2048, "Carlos Peralta"),
    (2051, "Rosa Delgado"),
    (2077, "Ben Whitaker"),
    (2090, "Irina Popova"),
    (2102, "Camilo Duarte"),
    (10417, "Wendy Castellanos"),
    (10583, "Oscar Villalobos"),
    (10766, "Nadia El-Sayed"),
    (10931, "Jean-Luc Moreau"),
];

/// What kind of customer they are; often nobody filled it in.
pub(super) static CUSTOMER_TYPES: &[&str] = &[
    "",
    "",
    "",
    "FLORIST",
    "FLORIST",
    "WHOLESALER",
    "PART-TIME FLORIST",
    "EVENT",
    "SUPERMARKET",
    "WEB SHOP",
];

static FIRST_NAMES: &[&str] = &[
    "Alice", "Bella", "Carla", "Dora", "Emma", "Flora", "Greta", "Helen", "Iris", "Jenny", "Karen",
    "Laura", "Maria", "Nora", "Olivia", "Petra", "Rose", "Sara", "Tina", "Violet",
];

static SURNAMES: &[&str] = &[
    "Abbott", "Baker", "Castillo", "Dawson", "Espinosa", "Fletcher", "Garza", "Hughes", "Ibarra",
    "Jensen", "Keller", "Lopez", "Moreno", "Novak", "Ospina", "Parker", "Quintero", "Reyes",
    "Salazar", "Turner", "Uribe", "Valencia", "Walsh", "Young", "Zapata",
];

static FLOWERS: &[&str] = &[
    "Rose",
    "Lily",
    "Tulip",
    "Orchid",
    "Peony",
    "Dahlia",
    "Carnation",
    "Hydrangea",
    "Gypsophila",
    "Freesia",
    "Anemone",
    "Ranunculus",
    "Iris",
    "Magnolia",
    "Jasmine",
    "Alstroemeria",
];

static BUSINESSES: &[&str] = &[
    "Florist",
    "Flowers",
    "Wholesale",
    "Events",
    "Weddings",
    "Garden Center",
    "Flower Shop",
    "Designs",
    "Bouquets",
    "Floral Studio",
    "Imports",
    "Market",
];

static TOWNS: &[&str] = &[
    "Miami", "Doral", "Boston", "Austin", "Denver", "Tampa", "Newark", "Fresno", "Omaha", "Tulsa",
    "Reno", "Salem", "Mobile", "Toledo", "Dallas", "Quito", "Toronto", "Houston", "Chicago",
    "Seattle",
];

static SHOUTED: &[&str] = &[
    "BRIDAL CAKES",
    "FLOWERS & GIFTS",
    "EVENT DECOR",
    "PARTY RENTALS",
    "FLORAL SUPPLY",
    "WEDDING BARN",
    "ROSES DIRECT",
    "BLOOMS TO GO",
];

static SPANISH_KINDS: &[&str] =
    &["Flores ", "Rosas del ", "Flores de ", "Jardines ", "Inversiones ", "Viveros ", "Detalles "];

static COMPANY_FORMS: &[&str] = &[" SAS", " Ltda", " Inc", " LLC", " SA", ""];

static ACCENTED_KINDS: &[&str] = &[
    "Floristería ",
    "Diseño Floral ",
    "Jardín ",
    "Fleurs ",
    "Blumen für ",
    "Decoración ",
    "Café & Flores ",
    "Compañía de Rosas ",
];

static ACCENTED_PLACES: &[&str] = &[
    "Bogotá",
    "Medellín",
    "Muñoz",
    "Peñalosa",
    "Núñez",
    "Zürich",
    "Córdoba",
    "Ibagué",
    "Logroño",
    "Jiménez",
    "Müller",
    "Beyoğlu",
    "Cañaveral",
    "Düsseldorf",
    "Orléans",
    "Málaga",
];
