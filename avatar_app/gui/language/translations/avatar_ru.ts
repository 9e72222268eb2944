<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="ru" sourcelanguage="en">
<context>
    <name>AboutDialog</name>
    <message>
        <source>About Avatar</source>
        <translation>О программе Avatar</translation>
    </message>
    <message>
        <source>A photo, moved by your face, in any video call. Nothing leaves this computer except the picture that you send to a call.</source>
        <translation>Ваша мимика оживляет фото в любом видеозвонке. С этого компьютера уходит только изображение, которое вы сами отправляете в звонок.</translation>
    </message>
    <message>
        <source>Licences</source>
        <translation>Лицензии</translation>
    </message>
    <message>
        <source>Open the log</source>
        <translation>Открыть журнал</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>Закрыть</translation>
    </message>
    <message>
        <source>Made with</source>
        <translation>Использованные компоненты</translation>
    </message>
</context>
<context>
    <name>Actions</name>
    <message>
        <source>Calibrate</source>
        <translation>Откалибровать</translation>
    </message>
    <message>
        <source>Find the best moment</source>
        <translation>Искать лучший момент</translation>
    </message>
    <message>
        <source>Pause</source>
        <translation>Пауза</translation>
    </message>
    <message>
        <source>Show my real face...</source>
        <translation>Показать моё настоящее лицо...</translation>
    </message>
    <message>
        <source>Avatar %1</source>
        <translation>Аватар %1</translation>
    </message>
    <message>
        <source>Previous avatar</source>
        <translation>Предыдущий аватар</translation>
    </message>
    <message>
        <source>Next avatar</source>
        <translation>Следующий аватар</translation>
    </message>
    <message>
        <source>Random avatar</source>
        <translation>Случайный аватар</translation>
    </message>
    <message>
        <source>Reload the gallery</source>
        <translation>Обновить галерею</translation>
    </message>
    <message>
        <source>Smile</source>
        <translation>Улыбка</translation>
    </message>
    <message>
        <source>Wink</source>
        <translation>Подмигивание</translation>
    </message>
    <message>
        <source>Surprise</source>
        <translation>Удивление</translation>
    </message>
    <message>
        <source>Look into the camera</source>
        <translation>Взгляд в камеру</translation>
    </message>
    <message>
        <source>Keep the expression</source>
        <translation>Удерживать мимику</translation>
    </message>
    <message>
        <source>Show landmarks</source>
        <translation>Показывать точки лица</translation>
    </message>
    <message>
        <source>Show the photo over the camera</source>
        <translation>Показывать фото поверх камеры</translation>
    </message>
    <message>
        <source>Photo over the camera: fainter</source>
        <translation>Фото поверх камеры: слабее</translation>
    </message>
    <message>
        <source>Photo over the camera: stronger</source>
        <translation>Фото поверх камеры: сильнее</translation>
    </message>
    <message>
        <source>Show the frame around the face</source>
        <translation>Показывать рамку вокруг лица</translation>
    </message>
    <message>
        <source>Show statistics</source>
        <translation>Показывать статистику</translation>
    </message>
    <message>
        <source>Mirror my preview</source>
        <translation>Зеркалить предпросмотр</translation>
    </message>
    <message>
        <source>Mirror what others see</source>
        <translation>Зеркалить то, что видят другие</translation>
    </message>
    <message>
        <source>Take a photo</source>
        <translation>Сделать снимок</translation>
    </message>
    <message>
        <source>Find a photo</source>
        <translation>Найти фото</translation>
    </message>
    <message>
        <source>Undo the removal of a photo</source>
        <translation>Вернуть удалённое фото</translation>
    </message>
    <message>
        <source>Full screen</source>
        <translation>Во весь экран</translation>
    </message>
    <message>
        <source>Swap the pictures</source>
        <translation>Поменять изображения местами</translation>
    </message>
    <message>
        <source>Settings</source>
        <translation>Настройки</translation>
    </message>
    <message>
        <source>Shortcuts...</source>
        <translation>Горячие клавиши...</translation>
    </message>
    <message>
        <source>Zoom in</source>
        <translation>Приблизить</translation>
    </message>
    <message>
        <source>Zoom out</source>
        <translation>Отдалить</translation>
    </message>
    <message>
        <source>Zoom in a little</source>
        <translation>Немного приблизить</translation>
    </message>
    <message>
        <source>Zoom out a little</source>
        <translation>Немного отдалить</translation>
    </message>
    <message>
        <source>Move up</source>
        <translation>Сдвинуть вверх</translation>
    </message>
    <message>
        <source>Move left</source>
        <translation>Сдвинуть влево</translation>
    </message>
    <message>
        <source>Move down</source>
        <translation>Сдвинуть вниз</translation>
    </message>
    <message>
        <source>Move right</source>
        <translation>Сдвинуть вправо</translation>
    </message>
    <message>
        <source>Move up a little</source>
        <translation>Немного сдвинуть вверх</translation>
    </message>
    <message>
        <source>Move left a little</source>
        <translation>Немного сдвинуть влево</translation>
    </message>
    <message>
        <source>Move down a little</source>
        <translation>Немного сдвинуть вниз</translation>
    </message>
    <message>
        <source>Move right a little</source>
        <translation>Немного сдвинуть вправо</translation>
    </message>
    <message>
        <source>Reset zoom and position</source>
        <translation>Сбросить масштаб и положение</translation>
    </message>
    <message>
        <source>Record</source>
        <translation>Запись</translation>
    </message>
    <message>
        <source>Add a photo...</source>
        <translation>Добавить фото...</translation>
    </message>
    <message>
        <source>Paste a photo</source>
        <translation>Вставить фото</translation>
    </message>
    <message>
        <source>Preferences...</source>
        <translation>Настройки...</translation>
    </message>
    <message>
        <source>Join a call...</source>
        <translation>Подключиться к звонку...</translation>
    </message>
    <message>
        <source>First steps...</source>
        <translation>Первые шаги...</translation>
    </message>
    <message>
        <source>Check this computer...</source>
        <translation>Проверить этот компьютер...</translation>
    </message>
    <message>
        <source>About Avatar...</source>
        <translation>О программе Avatar...</translation>
    </message>
    <message>
        <source>Quit</source>
        <translation>Выйти</translation>
    </message>
</context>
<context>
    <name>AvatarPage</name>
    <message>
        <source>Choose an avatar</source>
        <translation>Выберите аватар</translation>
    </message>
    <message>
        <source>Choose one, or drop a photo of a face here: from the front, mouth closed, eyes open. Only use photos of people who agree to it.</source>
        <translation>Выберите аватар или перетащите сюда фото: лицо анфас, рот закрыт, глаза открыты. Используйте фото только тех, кто на это согласен.</translation>
    </message>
</context>
<context>
    <name>Background</name>
    <message>
        <source>As in the photo</source>
        <translation>Как на фото</translation>
    </message>
    <message>
        <source>Blurred</source>
        <translation>Размытый</translation>
    </message>
    <message>
        <source>Dark grey</source>
        <translation>Тёмно-серый</translation>
    </message>
    <message>
        <source>Light grey</source>
        <translation>Светло-серый</translation>
    </message>
    <message>
        <source>Green screen</source>
        <translation>Зелёный экран</translation>
    </message>
    <message>
        <source>Background</source>
        <translation>Фон</translation>
    </message>
    <message>
        <source>Picture for the background</source>
        <translation>Картинка для фона</translation>
    </message>
    <message>
        <source>Pictures (*.jpg *.jpeg *.png *.webp *.bmp)</source>
        <translation>Изображения (*.jpg *.jpeg *.png *.webp *.bmp)</translation>
    </message>
</context>
<context>
    <name>BackgroundChooser</name>
    <message>
        <source>Background</source>
        <translation>Фон</translation>
    </message>
    <message>
        <source>What is behind the avatar.</source>
        <translation>Что находится за аватаром.</translation>
    </message>
    <message>
        <source>Another colour...</source>
        <translation>Другой цвет...</translation>
    </message>
    <message>
        <source>Picture...</source>
        <translation>Картинка...</translation>
    </message>
</context>
<context>
    <name>BackgroundMenu</name>
    <message>
        <source>Background</source>
        <translation>Фон</translation>
    </message>
    <message>
        <source>Another colour...</source>
        <translation>Другой цвет...</translation>
    </message>
    <message>
        <source>Picture...</source>
        <translation>Картинка...</translation>
    </message>
</context>
<context>
    <name>Banner</name>
    <message>
        <source>Hide</source>
        <translation>Скрыть</translation>
    </message>
    <message>
        <source>+{0} more</source>
        <translation>ещё {0}</translation>
    </message>
</context>
<context>
    <name>BugDialog</name>
    <message>
        <source>Something went wrong</source>
        <translation>Что-то пошло не так</translation>
    </message>
    <message>
        <source>Something went wrong that should not have. The call goes on.</source>
        <translation>Произошла непредвиденная ошибка. Звонок продолжается.</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>Скопировать</translation>
    </message>
    <message>
        <source>Open log</source>
        <translation>Открыть журнал</translation>
    </message>
</context>
<context>
    <name>CalibratePage</name>
    <message>
        <source>Look like the photo, then calibrate</source>
        <translation>Примите позу с фото и откалибруйте</translation>
    </message>
    <message>
        <source>Hold your head, mouth and eyes like the photo, as well as you can. From then on the avatar moves as you do.</source>
        <translation>Повторите положение головы, рта и глаз с фото как можно точнее. После этого аватар будет двигаться вместе с вами.</translation>
    </message>
    <message>
        <source>Your camera</source>
        <translation>Ваша камера</translation>
    </message>
    <message>
        <source>What others see</source>
        <translation>Что видят другие</translation>
    </message>
    <message>
        <source>The avatar appears here</source>
        <translation>Здесь появится аватар</translation>
    </message>
</context>
<context>
    <name>CalibrationPanel</name>
    <message>
        <source>Calibrate</source>
        <translation>Откалибровать</translation>
    </message>
    <message>
        <source>Find best moment</source>
        <translation>Лучший момент</translation>
    </message>
    <message>
        <source>Watches you and calibrates by itself whenever you look more like the photo than before.</source>
        <translation>Следит за вами и калибрует сам каждый раз, когда вы больше похожи на фото, чем раньше.</translation>
    </message>
    <message>
        <source>Lays the photo over your camera picture, only on this screen.</source>
        <translation>Накладывает фото на изображение с камеры, только на этом экране.</translation>
    </message>
    <message>
        <source>Photo overlay</source>
        <translation>Фото поверх камеры</translation>
    </message>
    <message>
        <source>The pose to imitate</source>
        <translation>Поза, которую надо повторить</translation>
    </message>
    <message>
        <source>Match</source>
        <translation>Совпадение</translation>
    </message>
    <message>
        <source>Head</source>
        <translation>Голова</translation>
    </message>
    <message>
        <source>Expression</source>
        <translation>Мимика</translation>
    </message>
    <message>
        <source>Position</source>
        <translation>Положение</translation>
    </message>
    <message>
        <source>Find best</source>
        <translation>Лучший момент</translation>
    </message>
    <message>
        <source>Better moments found: {0}</source>
        <translation>Найдено лучших моментов: {0}</translation>
    </message>
</context>
<context>
    <name>CameraPage</name>
    <message>
        <source>Choose your camera</source>
        <translation>Выберите камеру</translation>
    </message>
    <message>
        <source>Sit so that light falls on your face from the front. The camera&apos;s picture stays on this computer: others only ever see the avatar.</source>
        <translation>Сядьте так, чтобы свет падал на лицо спереди. Изображение с камеры остаётся на этом компьютере: другие видят только аватар.</translation>
    </message>
    <message>
        <source>Your camera</source>
        <translation>Ваша камера</translation>
    </message>
    <message>
        <source>Waiting for the camera...</source>
        <translation>Ожидание камеры...</translation>
    </message>
</context>
<context>
    <name>Captures</name>
    <message>
        <source>Saved {0}</source>
        <translation>Сохранено: {0}</translation>
    </message>
    <message>
        <source>Open</source>
        <translation>Открыть</translation>
    </message>
    <message>
        <source>Show in folder</source>
        <translation>Показать в папке</translation>
    </message>
</context>
<context>
    <name>ControlsPanel</name>
    <message>
        <source>Size</source>
        <translation>Размер</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>Модель</translation>
    </message>
    <message>
        <source>Off</source>
        <translation>Выкл.</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>Слабое</translation>
    </message>
    <message>
        <source>Strong</source>
        <translation>Сильное</translation>
    </message>
    <message>
        <source>Smoothing</source>
        <translation>Сглаживание</translation>
    </message>
    <message>
        <source>Head</source>
        <translation>Голова</translation>
    </message>
    <message>
        <source>Expression</source>
        <translation>Мимика</translation>
    </message>
    <message>
        <source>Gaze</source>
        <translation>Взгляд</translation>
    </message>
    <message>
        <source>At 0 % the avatar always looks where its photo looks.</source>
        <translation>При 0 % аватар всегда смотрит туда, куда смотрит фото.</translation>
    </message>
    <message>
        <source>Zoom</source>
        <translation>Масштаб</translation>
    </message>
    <message>
        <source>{0}° clockwise</source>
        <translation>{0}° вправо</translation>
    </message>
    <message>
        <source>Mirror my previews</source>
        <translation>Зеркалить предпросмотр</translation>
    </message>
    <message>
        <source>You see yourself and the avatar as in a mirror. Others always see it the right way round.</source>
        <translation>Вы видите себя и аватар как в зеркале. Другие всегда видят правильное изображение.</translation>
    </message>
    <message>
        <source>{0} fps</source>
        <translation>{0} кадр/с</translation>
    </message>
    <message>
        <source>For a camera that stands on its side.</source>
        <translation>Для камеры, которая стоит на боку.</translation>
    </message>
    <message>
        <source>Rotation</source>
        <translation>Поворот</translation>
    </message>
    <message>
        <source>Size of the picture that others get.</source>
        <translation>Размер изображения, которое получают другие.</translation>
    </message>
    <message>
        <source>Frame rate</source>
        <translation>Частота кадров</translation>
    </message>
    <message>
        <source>Frames per second that others get.</source>
        <translation>Сколько кадров в секунду получают другие.</translation>
    </message>
    <message>
        <source>Takes the tremble out of your motion; strong smoothing lags a little.</source>
        <translation>Убирает дрожание; при сильном сглаживании движения немного запаздывают.</translation>
    </message>
    <message>
        <source>How strongly your motion moves the avatar.</source>
        <translation>Насколько сильно ваши движения передаются аватару.</translation>
    </message>
    <message>
        <source>Left and right</source>
        <translation>Влево и вправо</translation>
    </message>
    <message>
        <source>Up and down</source>
        <translation>Вверх и вниз</translation>
    </message>
    <message>
        <source>You can also drag the picture and turn the wheel on it.</source>
        <translation>Можно также перетаскивать изображение и крутить над ним колесо мыши.</translation>
    </message>
    <message>
        <source>Mirror the camera</source>
        <translation>Зеркалить камеру</translation>
    </message>
    <message>
        <source>Microphone</source>
        <translation>Микрофон</translation>
    </message>
    <message>
        <source>Strength</source>
        <translation>Сила</translation>
    </message>
    <message>
        <source>Transfer</source>
        <translation>Передача движений</translation>
    </message>
    <message>
        <source>Advanced</source>
        <translation>Ещё</translation>
    </message>
    <message>
        <source>Kinds of settings</source>
        <translation>Разделы настроек</translation>
    </message>
    <message>
        <source>Follow my face</source>
        <translation>Следить за лицом</translation>
    </message>
    <message>
        <source>Relative motion</source>
        <translation>Относительные движения</translation>
    </message>
    <message>
        <source>Off: the avatar takes over your pose as it is.</source>
        <translation>Если выключено, аватар повторяет вашу позу как есть.</translation>
    </message>
    <message>
        <source>Adapt to the photo&apos;s size</source>
        <translation>Подстраиваться под размер фото</translation>
    </message>
    <message>
        <source>Scales your motion to the size of the photo&apos;s face.</source>
        <translation>Подгоняет ваши движения под размер лица на фото.</translation>
    </message>
    <message>
        <source>Reset</source>
        <translation>Сбросить</translation>
    </message>
    <message>
        <source>Camera</source>
        <translation>Камера</translation>
    </message>
    <message>
        <source>Picture</source>
        <translation>Изображение</translation>
    </message>
    <message>
        <source>Motion</source>
        <translation>Движение</translation>
    </message>
    <message>
        <source>None</source>
        <translation>Без поворота</translation>
    </message>
    <message>
        <source>For cameras that deliver a mirrored picture.</source>
        <translation>Для камер, которые отдают зеркальное изображение.</translation>
    </message>
    <message>
        <source>Mirror what others see</source>
        <translation>Зеркалить то, что видят другие</translation>
    </message>
    <message>
        <source>Left and right change places.</source>
        <translation>Право и лево меняются местами.</translation>
    </message>
    <message>
        <source>Show “AI avatar”</source>
        <translation>Надпись «AI avatar»</translation>
    </message>
    <message>
        <source>Writes it into the picture, so that everybody knows.</source>
        <translation>Пишет это на изображении, чтобы все знали.</translation>
    </message>
    <message>
        <source>Off: sit where you calibrated.</source>
        <translation>Если выключено, сидите там же, где калибровались.</translation>
    </message>
    <message>
        <source>Puts the avatar back into the middle.</source>
        <translation>Возвращает аватар в середину.</translation>
    </message>
    <message>
        <source>Basics</source>
        <translation>Основное</translation>
    </message>
    <message>
        <source>Send to</source>
        <translation>Куда отправлять</translation>
    </message>
    <message>
        <source>Background</source>
        <translation>Фон</translation>
    </message>
    <message>
        <source>Framing</source>
        <translation>Кадрирование</translation>
    </message>
</context>
<context>
    <name>CropCheck</name>
    <message>
        <source>No face was found. Move the square so that the face fills half of its height.</source>
        <translation>Лицо не найдено. Поставьте квадрат так, чтобы лицо занимало половину его высоты.</translation>
    </message>
    <message>
        <source>There is no face in the square.</source>
        <translation>В квадрате нет лица.</translation>
    </message>
    <message>
        <source>The square cuts off a part of the face.</source>
        <translation>Квадрат обрезает часть лица.</translation>
    </message>
    <message>
        <source>The photo cuts off a part of the face. Use another one if you can.</source>
        <translation>Лицо на фото видно не целиком. Если можно, возьмите другое фото.</translation>
    </message>
    <message>
        <source>The face is only {pixels} pixels high, so the avatar will be blurred. Use a larger photo if you can.</source>
        <translation>Высота лица всего {pixels} пикс., поэтому аватар будет размытым. Если можно, возьмите фото крупнее.</translation>
    </message>
    <message>
        <source>The face is small in the square. Make the square smaller.</source>
        <translation>Лицо слишком мелкое для этого квадрата. Уменьшите квадрат.</translation>
    </message>
    <message>
        <source>The face fills the square. Make it larger: hair and shoulders need room.</source>
        <translation>Лицо занимает весь квадрат. Увеличьте квадрат: волосам и плечам нужно место.</translation>
    </message>
    <message>
        <source>There is more than one face in the square. The avatar will be the largest.</source>
        <translation>В квадрате несколько лиц. Аватаром станет самое крупное.</translation>
    </message>
    <message>
        <source>Something covers the mouth; the avatar&apos;s mouth will not look right.</source>
        <translation>Рот чем-то закрыт; у аватара он будет выглядеть неправильно.</translation>
    </message>
    <message>
        <source>The eyes are shut; the avatar cannot open them well.</source>
        <translation>Глаза закрыты; аватар не сможет хорошо их открыть.</translation>
    </message>
    <message>
        <source>The face is seen from the side; one from the front moves better.</source>
        <translation>Лицо видно сбоку; лицо анфас двигается лучше.</translation>
    </message>
    <message>
        <source>The face is very dark.</source>
        <translation>Лицо очень тёмное.</translation>
    </message>
    <message>
        <source>The face is blurred, and so the avatar will be.</source>
        <translation>Лицо смазано, и аватар будет таким же.</translation>
    </message>
</context>
<context>
    <name>CropEditor</name>
    <message>
        <source>Looking for the face...</source>
        <translation>Поиск лица...</translation>
    </message>
    <message numerus="yes">
        <source>%n faces were found. Click another one, or press the button again.</source>
        <translation>
            <numerusform>Найдено %n лицо. Щёлкните другое или нажмите кнопку ещё раз.</numerusform>
            <numerusform>Найдено %n лица. Щёлкните другое или нажмите кнопку ещё раз.</numerusform>
            <numerusform>Найдено %n лиц. Щёлкните другое или нажмите кнопку ещё раз.</numerusform>
        </translation>
    </message>
    <message>
        <source>The face fits well.</source>
        <translation>Лицо расположено хорошо.</translation>
    </message>
    <message>
        <source>Use this crop</source>
        <translation>Использовать</translation>
    </message>
    <message>
        <source>Crop photo</source>
        <translation>Кадрирование фото</translation>
    </message>
    <message>
        <source>&amp;Fit to face</source>
        <translation>&amp;Подогнать по лицу</translation>
    </message>
    <message>
        <source>&amp;Turn right</source>
        <translation>Повернуть &amp;вправо</translation>
    </message>
    <message>
        <source>Turn the photo by a quarter</source>
        <translation>Повернуть фото на четверть оборота</translation>
    </message>
    <message>
        <source>Preview of the crop</source>
        <translation>Предпросмотр кадра</translation>
    </message>
    <message>
        <source>Photo with the square</source>
        <translation>Фото с квадратом</translation>
    </message>
    <message>
        <source>Drag the square or its corners. Arrow keys move it, + and - resize it, with Shift finely.</source>
        <translation>Перетаскивайте квадрат или его углы. Стрелки двигают его, + и - меняют размер, с Shift — понемногу.</translation>
    </message>
</context>
<context>
    <name>CudaDialog</name>
    <message>
        <source>Use my NVIDIA card</source>
        <translation>Использовать видеокарту NVIDIA</translation>
    </message>
    <message>
        <source>Download</source>
        <translation>Скачать</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>Удалить</translation>
    </message>
    <message>
        <source>Use the card now</source>
        <translation>Использовать видеокарту</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>Закрыть</translation>
    </message>
    <message>
        <source>PyTorch {0} is there for your NVIDIA card.</source>
        <translation>PyTorch {0} для вашей видеокарты NVIDIA установлен.</translation>
    </message>
    <message>
        <source>PyTorch {0} is there, but no longer fits the app. Download it again.</source>
        <translation>PyTorch {0} установлен, но больше не подходит к программе. Скачайте его заново.</translation>
    </message>
    <message>
        <source>Your card needs PyTorch, some gigabytes, from pytorch.org. It is kept in your own folder, {0}, and can be removed here at any time.</source>
        <translation>Видеокарте нужен PyTorch — несколько гигабайт с pytorch.org. Он хранится в вашей папке {0}, и его можно в любой момент удалить здесь.</translation>
    </message>
    <message>
        <source>The app is set to use another device.</source>
        <translation>В программе выбрано другое устройство.</translation>
    </message>
    <message>
        <source>The app will switch to the card in a moment.</source>
        <translation>Программа сейчас перейдёт на видеокарту.</translation>
    </message>
    <message>
        <source>PyTorch for your NVIDIA card is being downloaded. A running call goes on meanwhile.</source>
        <translation>Скачивается PyTorch для вашей видеокарты NVIDIA. Звонок тем временем продолжается.</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>Остановить</translation>
    </message>
    <message>
        <source>Trying it on your card...</source>
        <translation>Проверка на вашей видеокарте...</translation>
    </message>
    <message>
        <source>{0} GB to download; {1} GB are unpacked so far.</source>
        <translation>Всего скачать {0} ГБ; распаковано уже {1} ГБ.</translation>
    </message>
    <message>
        <source>Stopped. Nothing was kept.</source>
        <translation>Остановлено. Скачанное удалено.</translation>
    </message>
    <message>
        <source>Done: PyTorch {0} works on your card.</source>
        <translation>Готово: PyTorch {0} работает на вашей видеокарте.</translation>
    </message>
    <message>
        <source>Done. Start the app again to use your card.</source>
        <translation>Готово. Перезапустите программу, чтобы использовать видеокарту.</translation>
    </message>
    <message>
        <source>Start the app again to use your card.</source>
        <translation>Перезапустите программу, чтобы использовать видеокарту.</translation>
    </message>
    <message>
        <source>Removed. Some files are in use: start the app again and press Remove once more.</source>
        <translation>Удалено. Некоторые файлы ещё используются: перезапустите программу и нажмите «Удалить» ещё раз.</translation>
    </message>
</context>
<context>
    <name>DoctorDialog</name>
    <message>
        <source>Check this computer</source>
        <translation>Проверка компьютера</translation>
    </message>
    <message>
        <source>Copy as text</source>
        <translation>Скопировать отчёт</translation>
    </message>
    <message>
        <source>Check again</source>
        <translation>Проверить снова</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>Закрыть</translation>
    </message>
    <message>
        <source>Looking at this computer...</source>
        <translation>Идёт проверка...</translation>
    </message>
    <message>
        <source>OK</source>
        <translation>Хорошо</translation>
    </message>
    <message>
        <source>Note</source>
        <translation>Замечание</translation>
    </message>
    <message>
        <source>Problem</source>
        <translation>Проблема</translation>
    </message>
    <message>
        <source>A call would work.</source>
        <translation>Всё готово к звонку.</translation>
    </message>
    <message>
        <source>A call would not work yet.</source>
        <translation>К звонку готово не всё.</translation>
    </message>
</context>
<context>
    <name>Drawer</name>
    <message>
        <source>Close settings</source>
        <translation>Закрыть настройки</translation>
    </message>
    <message>
        <source>Settings</source>
        <translation>Настройки</translation>
    </message>
</context>
<context>
    <name>DropCover</name>
    <message>
        <source>Drop photos to add them</source>
        <translation>Отпустите, чтобы добавить фото</translation>
    </message>
</context>
<context>
    <name>Editing</name>
    <message>
        <source>Crop {name}</source>
        <translation>Кадрирование: {name}</translation>
    </message>
</context>
<context>
    <name>FolderField</name>
    <message>
        <source>Change...</source>
        <translation>Изменить...</translation>
    </message>
    <message>
        <source>Reset</source>
        <translation>Сбросить</translation>
    </message>
    <message>
        <source>Videos and Pictures</source>
        <translation>Видео и Изображения</translation>
    </message>
    <message>
        <source>Folder for recordings and photos</source>
        <translation>Папка для записей и снимков</translation>
    </message>
</context>
<context>
    <name>Gallery</name>
    <message>
        <source>No photo is called “{text}”</source>
        <translation>Нет фото с названием «{text}»</translation>
    </message>
    <message>
        <source>Removed {name}</source>
        <translation>Удалено: {name}</translation>
    </message>
    <message>
        <source>Undo</source>
        <translation>Вернуть</translation>
    </message>
    <message>
        <source>Photos</source>
        <translation>Фотографии</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>Удалить</translation>
    </message>
    <message>
        <source>Use</source>
        <translation>Использовать</translation>
    </message>
    <message>
        <source>Find</source>
        <translation>Найти</translation>
    </message>
    <message>
        <source>Restore built-in photos</source>
        <translation>Вернуть встроенные фото</translation>
    </message>
    <message>
        <source>Rename</source>
        <translation>Переименовать</translation>
    </message>
    <message>
        <source>Crop...</source>
        <translation>Кадрировать...</translation>
    </message>
    <message>
        <source>Move to the front</source>
        <translation>Переместить в начало</translation>
    </message>
    <message>
        <source>Show in folder</source>
        <translation>Показать в папке</translation>
    </message>
    <message>
        <source>Add photos...</source>
        <translation>Добавить фото...</translation>
    </message>
    <message>
        <source>Paste</source>
        <translation>Вставить</translation>
    </message>
    <message>
        <source>Reload</source>
        <translation>Обновить</translation>
    </message>
    <message>
        <source>Search photos</source>
        <translation>Поиск фото</translation>
    </message>
</context>
<context>
    <name>GalleryModel</name>
    <message>
        <source>Add photo</source>
        <translation>Добавить фото</translation>
    </message>
    <message>
        <source>Choose photos, drop them here, or paste one</source>
        <translation>Выберите фото, перетащите их сюда или вставьте</translation>
    </message>
    <message>
        <source>{name} (key {key})</source>
        <translation>{name} (клавиша {key})</translation>
    </message>
</context>
<context>
    <name>GalleryTile</name>
    <message>
        <source>Add</source>
        <translation>Фото</translation>
    </message>
</context>
<context>
    <name>Guide</name>
    <message>
        <source>First steps</source>
        <translation>Первые шаги</translation>
    </message>
    <message>
        <source>Camera</source>
        <translation>Камера</translation>
    </message>
    <message>
        <source>Avatar</source>
        <translation>Аватар</translation>
    </message>
    <message>
        <source>Calibrate</source>
        <translation>Калибровка</translation>
    </message>
    <message>
        <source>Join the call</source>
        <translation>В звонок</translation>
    </message>
    <message>
        <source>&amp;Back</source>
        <translation>&amp;Назад</translation>
    </message>
    <message>
        <source>&amp;Skip</source>
        <translation>&amp;Пропустить</translation>
    </message>
    <message>
        <source>&amp;Done</source>
        <translation>&amp;Готово</translation>
    </message>
    <message>
        <source>&amp;Next</source>
        <translation>&amp;Далее</translation>
    </message>
</context>
<context>
    <name>Header</name>
    <message>
        <source>New avatar frames per second, and the time from the camera&apos;s frame to the sent picture.
Press I for more.</source>
        <translation>Новых кадров аватара в секунду и время от кадра камеры до отправки.
Подробнее: клавиша I.</translation>
    </message>
    <message>
        <source>Settings</source>
        <translation>Настройки</translation>
    </message>
    <message>
        <source>Menu</source>
        <translation>Меню</translation>
    </message>
    <message>
        <source>Loading: {0}</source>
        <translation>Загрузка: {0}</translation>
    </message>
    <message>
        <source>{0:.0f} fps · {1:.0f} ms</source>
        <translation>{0:.0f} кадр/с · {1:.0f} мс</translation>
    </message>
    <message>
        <source>● REC {0}</source>
        <translation>● ЗАПИСЬ {0}</translation>
    </message>
</context>
<context>
    <name>Headline</name>
    <message>
        <source>Getting ready...</source>
        <translation>Подготовка...</translation>
    </message>
    <message>
        <source>Choose an avatar</source>
        <translation>Выберите аватар</translation>
    </message>
    <message>
        <source>No camera picture</source>
        <translation>Нет изображения с камеры</translation>
    </message>
    <message>
        <source>Not calibrated</source>
        <translation>Нет калибровки</translation>
    </message>
    <message>
        <source>No face seen yet</source>
        <translation>Лица пока не видно</translation>
    </message>
    <message>
        <source>Something failed</source>
        <translation>Произошёл сбой</translation>
    </message>
    <message>
        <source>Waiting for a picture</source>
        <translation>Ожидание кадра</translation>
    </message>
    <message>
        <source>REAL FACE – Hide</source>
        <translation>ВАШЕ ЛИЦО — Скрыть</translation>
    </message>
    <message>
        <source>Real face, preview only – Hide</source>
        <translation>Ваше лицо, только предпросмотр — Скрыть</translation>
    </message>
    <message>
        <source>Paused</source>
        <translation>Пауза</translation>
    </message>
    <message>
        <source>Nobody is watching – camera off</source>
        <translation>Никто не смотрит — камера выключена</translation>
    </message>
    <message>
        <source>Live to {0}</source>
        <translation>В эфире: {0}</translation>
    </message>
    <message>
        <source>Preview only – set up</source>
        <translation>Только предпросмотр — настроить</translation>
    </message>
</context>
<context>
    <name>Hints</name>
    <message>
        <source>The camera gives no picture. Connect it, or choose another one.</source>
        <translation>Камера не даёт изображения. Подключите её или выберите другую.</translation>
    </message>
    <message>
        <source>Choose a photo first.</source>
        <translation>Сначала выберите фото.</translation>
    </message>
    <message>
        <source>Getting ready...</source>
        <translation>Подготовка...</translation>
    </message>
    <message>
        <source>Turn and tilt your head like the photo.</source>
        <translation>Поверните и наклоните голову как на фото.</translation>
    </message>
    <message>
        <source>No face is seen. Sit in front of the camera, with light from the front.</source>
        <translation>Лица не видно. Сядьте перед камерой, чтобы свет падал спереди.</translation>
    </message>
    <message>
        <source>Paused: resume to compare your pose with the photo&apos;s.</source>
        <translation>Пауза: продолжите, чтобы сравнить позу с фото.</translation>
    </message>
    <message>
        <source>Match the photo&apos;s mouth and eyes.</source>
        <translation>Повторите выражение рта и глаз с фото.</translation>
    </message>
    <message>
        <source>Bring your face to the middle, about half as high as the picture.</source>
        <translation>Поместите лицо в середину, примерно на половину высоты кадра.</translation>
    </message>
    <message>
        <source>If the avatar looks wrong, look like the photo and calibrate again.</source>
        <translation>Если аватар выглядит неправильно, примите позу с фото и откалибруйте снова.</translation>
    </message>
    <message>
        <source>That fits well.</source>
        <translation>Хорошо совпадает.</translation>
    </message>
    <message>
        <source>That fits well: calibrate now.</source>
        <translation>Хорошо совпадает: калибруйте.</translation>
    </message>
    <message>
        <source>Hold still for a moment...</source>
        <translation>Замрите на мгновение...</translation>
    </message>
    <message>
        <source>Look like the photo...</source>
        <translation>Примите позу с фото...</translation>
    </message>
</context>
<context>
    <name>Hotkeys</name>
    <message>
        <source>Calibrate</source>
        <translation>Откалибровать</translation>
    </message>
    <message>
        <source>Pause and resume</source>
        <translation>Пауза и продолжение</translation>
    </message>
    <message>
        <source>Next avatar</source>
        <translation>Следующий аватар</translation>
    </message>
    <message>
        <source>Previous avatar</source>
        <translation>Предыдущий аватар</translation>
    </message>
    <message>
        <source>Smile</source>
        <translation>Улыбка</translation>
    </message>
    <message>
        <source>Wink</source>
        <translation>Подмигивание</translation>
    </message>
    <message>
        <source>Surprise</source>
        <translation>Удивление</translation>
    </message>
    <message>
        <source>Look into the camera</source>
        <translation>Взгляд в камеру</translation>
    </message>
    <message>
        <source>Avatar %1</source>
        <translation>Аватар %1</translation>
    </message>
</context>
<context>
    <name>Intake</name>
    <message>
        <source>Add photos</source>
        <translation>Добавить фото</translation>
    </message>
    <message>
        <source>Photos</source>
        <translation>Фотографии</translation>
    </message>
    <message>
        <source>All files</source>
        <translation>Все файлы</translation>
    </message>
    <message>
        <source>Pasted photo</source>
        <translation>Вставленное фото</translation>
    </message>
</context>
<context>
    <name>JoinPage</name>
    <message>
        <source>Join the call</source>
        <translation>Подключитесь к звонку</translation>
    </message>
    <message>
        <source>Your call needs only one change: there, choose the avatar&apos;s camera instead of yours.</source>
        <translation>В звонке нужно изменить только одно: выберите там камеру аватара вместо своей.</translation>
    </message>
    <message>
        <source>Set up the virtual camera</source>
        <translation>Настроить виртуальную камеру</translation>
    </message>
    <message>
        <source>Copy the command</source>
        <translation>Скопировать команду</translation>
    </message>
    <message>
        <source>Where to choose it</source>
        <translation>Где её выбрать</translation>
    </message>
    <message>
        <source>The arrow beside “Stop Video”, then the camera</source>
        <translation>Стрелка рядом с «Остановить видео», затем камера</translation>
    </message>
    <message>
        <source>Before the call: the gear beside the camera. In it: More, Settings, Video</source>
        <translation>До звонка: шестерёнка рядом с камерой. В звонке: Ещё, Параметры, Видео</translation>
    </message>
    <message>
        <source>The three dots, Settings, Video, Camera</source>
        <translation>Три точки, Настройки, Видео, Камера</translation>
    </message>
    <message>
        <source>User Settings, Voice &amp; Video, Camera</source>
        <translation>Настройки пользователя, Голос и видео, Камера</translation>
    </message>
    <message>
        <source>Sources, +, Video Capture Device, Device</source>
        <translation>Источники, +, Устройство захвата видео, Устройство</translation>
    </message>
    <message>
        <source>Ready: choose “{0}” as the camera in your call.</source>
        <translation>Готово: выберите в звонке камеру «{0}».</translation>
    </message>
    <message>
        <source>Looking for virtual cameras...</source>
        <translation>Поиск виртуальных камер...</translation>
    </message>
    <message>
        <source>Preview only: choose where the picture goes.</source>
        <translation>Только предпросмотр: выберите, куда отправлять изображение.</translation>
    </message>
</context>
<context>
    <name>KeyRows</name>
    <message>
        <source>Back to {key}</source>
        <translation>Вернуть {key}</translation>
    </message>
    <message>
        <source>no key</source>
        <translation>без клавиши</translation>
    </message>
    <message>
        <source>Also: {keys}</source>
        <translation>Также: {keys}</translation>
    </message>
</context>
<context>
    <name>KeysDialog</name>
    <message>
        <source>Shortcuts</source>
        <translation>Горячие клавиши</translation>
    </message>
    <message>
        <source>Calibrate, from anywhere</source>
        <translation>Откалибровать (из любого окна)</translation>
    </message>
    <message>
        <source>Pause, from anywhere</source>
        <translation>Пауза (из любого окна)</translation>
    </message>
    <message>
        <source>Next avatar, from anywhere</source>
        <translation>Следующий аватар (из любого окна)</translation>
    </message>
    <message>
        <source>Previous avatar, from anywhere</source>
        <translation>Предыдущий аватар (из любого окна)</translation>
    </message>
    <message>
        <source>They can be changed in Preferences. Keys that work everywhere need a desktop that allows them.</source>
        <translation>Их можно поменять в настройках. Глобальные клавиши работают, если их разрешает рабочая среда.</translation>
    </message>
</context>
<context>
    <name>Menus</name>
    <message>
        <source>&amp;Avatar</source>
        <translation>&amp;Аватар</translation>
    </message>
    <message>
        <source>&amp;Expression</source>
        <translation>&amp;Мимика</translation>
    </message>
    <message>
        <source>&amp;Call</source>
        <translation>&amp;Звонок</translation>
    </message>
    <message>
        <source>&amp;View</source>
        <translation>&amp;Вид</translation>
    </message>
    <message>
        <source>&amp;Help</source>
        <translation>&amp;Справка</translation>
    </message>
</context>
<context>
    <name>Messages</name>
    <message>
        <source>See that `avatar-app serve` runs there.</source>
        <translation>Проверьте, что на нём запущено `avatar-app serve`.</translation>
    </message>
    <message>
        <source>See that `avatar-app serve` runs there, and that nothing between blocks the port.</source>
        <translation>Проверьте, что на нём запущено `avatar-app serve` и порт ничем не закрыт.</translation>
    </message>
    <message>
        <source>This computer renders the avatar until the other one is back.</source>
        <translation>Пока его нет, аватар создаёт этот компьютер.</translation>
    </message>
    <message>
        <source>The other computer does not accept the token.</source>
        <translation>Другой компьютер не принимает ключ доступа.</translation>
    </message>
    <message>
        <source>&quot;{}&quot; fits {} cameras.</source>
        <translation>«{0}» подходит к нескольким камерам: {1}.</translation>
    </message>
    <message>
        <source>(GStreamer says: {}.)</source>
        <translation>(GStreamer сообщает: {0}.)</translation>
    </message>
    <message>
        <source>A call still shows the virtual camera {} as another program has left it.</source>
        <translation>Звонок всё ещё показывает виртуальную камеру {0} такой, какой её оставила другая программа.</translation>
    </message>
    <message>
        <source>A call still shows the virtual camera {} at {} x {}, not at {} x {}.</source>
        <translation>Звонок всё ещё показывает виртуальную камеру {0} в размере {1} x {2}, а не {3} x {4}.</translation>
    </message>
    <message>
        <source>A model cannot be called {}.</source>
        <translation>Модель нельзя назвать {0}.</translation>
    </message>
    <message>
        <source>A picture of shape {} and type {} is not RGB of 8 bits.</source>
        <translation>Изображение размера {0} и типа {1} — не 8-битное RGB.</translation>
    </message>
    <message>
        <source>A virtual microphone can be made on Linux alone.</source>
        <translation>Виртуальный микрофон можно создать только в Linux.</translation>
    </message>
    <message>
        <source>Addresses that begin with {}:// are not known.</source>
        <translation>Адреса, которые начинаются с {0}://, не поддерживаются.</translation>
    </message>
    <message>
        <source>Another program sends to the virtual camera {} ({}).</source>
        <translation>В виртуальную камеру {0} ({1}) пишет другая программа.</translation>
    </message>
    <message>
        <source>Are the photo and the clip swapped?</source>
        <translation>Не перепутаны ли фото и видео?</translation>
    </message>
    <message>
        <source>Bind keys of your desktop to `{} control recalibrate`.</source>
        <translation>Назначьте в рабочей среде клавиши для команды `{0} control recalibrate`.</translation>
    </message>
    <message>
        <source>CUDA cannot be used: {}.</source>
        <translation>CUDA использовать нельзя: {0}.</translation>
    </message>
    <message>
        <source>Check its spelling.</source>
        <translation>Проверьте, как она написана.</translation>
    </message>
    <message>
        <source>Check the address and the key, and whether the server runs.</source>
        <translation>Проверьте адрес и ключ, а также работает ли сервер.</translation>
    </message>
    <message>
        <source>Check the folder {}.</source>
        <translation>Проверьте папку {0}.</translation>
    </message>
    <message>
        <source>Check the network and the free space; the next try goes on where this one ended.</source>
        <translation>Проверьте сеть и свободное место; следующая попытка продолжит с того же места.</translation>
    </message>
    <message>
        <source>Check the path, and free some space.</source>
        <translation>Проверьте путь и освободите место.</translation>
    </message>
    <message>
        <source>Check the path.</source>
        <translation>Проверьте путь.</translation>
    </message>
    <message>
        <source>Check the server and the network; the app connects again by itself.</source>
        <translation>Проверьте сервер и сеть; приложение подключится снова само.</translation>
    </message>
    <message>
        <source>Choose a larger one.</source>
        <translation>Выберите область побольше.</translation>
    </message>
    <message>
        <source>Choose another frame, or --find-best-frame.</source>
        <translation>Выберите другой кадр или --find-best-frame.</translation>
    </message>
    <message>
        <source>Choose another name, or delete that folder.</source>
        <translation>Выберите другое имя или удалите эту папку.</translation>
    </message>
    <message>
        <source>Choose another part with --start and --end.</source>
        <translation>Выберите другой отрезок ключами --start и --end.</translation>
    </message>
    <message>
        <source>Choose it there, or quit the app first.</source>
        <translation>Выберите это там или сначала выйдите из программы.</translation>
    </message>
    <message>
        <source>Choose one of these: {}.</source>
        <translation>Выберите одну из: {0}.</translation>
    </message>
    <message>
        <source>Choose one of {}, or &quot;{}&quot; for the system&apos;s.</source>
        <translation>Выберите один из: {0}, или «{1}» — системный.</translation>
    </message>
    <message>
        <source>Choose one with files that end in {}.</source>
        <translation>Выберите папку с файлами {0}.</translation>
    </message>
    <message>
        <source>Chrome, Zoom and Teams do not list it so; run `sudo modprobe -r v4l2loopback &amp;&amp; {}`.</source>
        <translation>В таком виде её не показывают Chrome, Zoom и Teams; выполните `sudo modprobe -r v4l2loopback &amp;&amp; {0}`.</translation>
    </message>
    <message>
        <source>Close other programs that keep the processor busy, or use a computer with a graphics card.</source>
        <translation>Закройте другие программы, занимающие процессор, или возьмите компьютер с видеокартой.</translation>
    </message>
    <message>
        <source>Close other programs that use it, and allow this one to use the microphone in the system&apos;s privacy settings.</source>
        <translation>Закройте другие программы, которые им пользуются, и разрешите этой доступ к микрофону в настройках конфиденциальности системы.</translation>
    </message>
    <message>
        <source>Close other programs that use this port, and check that the sender sends MPEG-TS to it.</source>
        <translation>Закройте другие программы, которые занимают этот порт, и проверьте, что отправитель шлёт на него MPEG-TS.</translation>
    </message>
    <message>
        <source>Close that program: `fuser {}` names it. Or choose another output.</source>
        <translation>Закройте эту программу (её назовёт `fuser {0}`) или выберите другое место отправки.</translation>
    </message>
    <message>
        <source>Close the program that sends to it, or choose another output.</source>
        <translation>Закройте программу, которая в неё передаёт, или выберите другое место отправки.</translation>
    </message>
    <message>
        <source>Close {}, or choose another camera.</source>
        <translation>Закройте {0} или выберите другую камеру.</translation>
    </message>
    <message>
        <source>Compare it with the ones in avatar_app/training/configs.</source>
        <translation>Сравните её с файлами в avatar_app/training/configs.</translation>
    </message>
    <message>
        <source>Connect it again, or choose another.</source>
        <translation>Подключите его снова или выберите другой.</translation>
    </message>
    <message>
        <source>Connect one, or choose what other programs feed: {}.</source>
        <translation>Подключите камеру или выберите ту, на которую передают изображение другие программы: {0}.</translation>
    </message>
    <message>
        <source>Connect one, then try again.</source>
        <translation>Подключите микрофон и попробуйте снова.</translation>
    </message>
    <message>
        <source>Convert it to 1920 x 1080 or less.</source>
        <translation>Преобразуйте его в 1920 x 1080 или меньше.</translation>
    </message>
    <message>
        <source>Copy a picture or a picture file, then paste it here.</source>
        <translation>Скопируйте изображение или его файл и вставьте сюда.</translation>
    </message>
    <message>
        <source>Copy its pairing line again.</source>
        <translation>Скопируйте его строку подключения ещё раз.</translation>
    </message>
    <message>
        <source>Copy the pairing line again from the computer itself.</source>
        <translation>Скопируйте строку подключения ещё раз с самого компьютера.</translation>
    </message>
    <message>
        <source>Delay the sound in the call&apos;s or in OBS&apos;s own settings.</source>
        <translation>Задержите звук в настройках самого звонка или OBS.</translation>
    </message>
    <message>
        <source>Delete it and try again.</source>
        <translation>Удалите его и попробуйте снова.</translation>
    </message>
    <message>
        <source>Delete it; a new one is made at the next start.</source>
        <translation>Удалите его; при следующем запуске появится новый.</translation>
    </message>
    <message>
        <source>Download it again.</source>
        <translation>Скачайте его ещё раз.</translation>
    </message>
    <message>
        <source>Drop photos, or a folder of photos.</source>
        <translation>Перетащите фотографии или папку с ними.</translation>
    </message>
    <message>
        <source>Drop photos, or a folder with some.</source>
        <translation>Перетащите фотографии или папку с ними.</translation>
    </message>
    <message>
        <source>Frames count from 0 to {}.</source>
        <translation>Кадры нумеруются от 0 до {0}.</translation>
    </message>
    <message>
        <source>Free some space or check permissions.</source>
        <translation>Освободите место или проверьте права доступа.</translation>
    </message>
    <message>
        <source>Free some space, close other windows of the app, then try again.</source>
        <translation>Освободите место, закройте другие окна программы и попробуйте снова.</translation>
    </message>
    <message>
        <source>Free some space.</source>
        <translation>Освободите место.</translation>
    </message>
    <message>
        <source>GStreamer has not started within {:.0f} seconds.</source>
        <translation>GStreamer не запустился за {0:.0f} с.</translation>
    </message>
    <message>
        <source>GStreamer&apos;s {} is not installed.</source>
        <translation>Не установлен {0} из GStreamer.</translation>
    </message>
    <message>
        <source>Get the file elsewhere, put it at {}, and run this again.</source>
        <translation>Скачайте файл из другого места, положите его сюда: {0} — и повторите.</translation>
    </message>
    <message>
        <source>Give a number from 1.</source>
        <translation>Укажите число от 1.</translation>
    </message>
    <message>
        <source>Give one, or use an X2Face model.</source>
        <translation>Укажите одно или возьмите модель X2Face.</translation>
    </message>
    <message>
        <source>Give the YAML file of the checkpoint.</source>
        <translation>Укажите YAML-файл этих весов.</translation>
    </message>
    <message>
        <source>If that is not a server of this app, end it, or choose another --port.</source>
        <translation>Если это не сервер этого приложения, завершите ту программу или выберите другой --port.</translation>
    </message>
    <message>
        <source>If the link is dead: {}</source>
        <translation>Если ссылка не работает: {0}</translation>
    </message>
    <message>
        <source>Import it here as well.</source>
        <translation>Импортируйте её и здесь.</translation>
    </message>
    <message>
        <source>Install NVIDIA&apos;s driver, restart the computer and try again.</source>
        <translation>Установите драйвер NVIDIA, перезагрузите компьютер и попробуйте снова.</translation>
    </message>
    <message>
        <source>Install PulseAudio&apos;s programs of version 16.</source>
        <translation>Установите программы PulseAudio версии 16.</translation>
    </message>
    <message>
        <source>Install Python {}.{} or newer.</source>
        <translation>Установите Python {0}.{1} или новее.</translation>
    </message>
    <message>
        <source>It could not be checked: {}.</source>
        <translation>Проверить не удалось: {0}.</translation>
    </message>
    <message>
        <source>It is not yet known whether the graphics card {} is faster.</source>
        <translation>Пока не известно, быстрее ли видеокарта {0}.</translation>
    </message>
    <message>
        <source>Its pictures take {:.0f} ms there and back.</source>
        <translation>Путь туда и обратно занимает {0:.0f} мс.</translation>
    </message>
    <message>
        <source>Known here: {}.</source>
        <translation>Здесь известны: {0}.</translation>
    </message>
    <message>
        <source>Known models: {}.</source>
        <translation>Известные модели: {0}.</translation>
    </message>
    <message>
        <source>Leave out --start and --end.</source>
        <translation>Уберите --start и --end.</translation>
    </message>
    <message>
        <source>Let fewer people use that computer, or look for a faster way to it, such as a cable.</source>
        <translation>Уменьшите число людей на том компьютере или подключитесь к нему быстрее, например кабелем.</translation>
    </message>
    <message>
        <source>More than one microphone is called &quot;{}&quot;.</source>
        <translation>Микрофонов с названием «{0}» несколько.</translation>
    </message>
    <message>
        <source>Name a file in a folder of yours.</source>
        <translation>Укажите файл в своей папке.</translation>
    </message>
    <message>
        <source>Name a file in it, such as {}.</source>
        <translation>Укажите файл в ней, например {0}.</translation>
    </message>
    <message>
        <source>Name a file that can be heard.</source>
        <translation>Укажите файл со звуком.</translation>
    </message>
    <message>
        <source>Name another file for one of them.</source>
        <translation>Укажите для одного из них другой файл.</translation>
    </message>
    <message>
        <source>Name another file, so that nothing is lost.</source>
        <translation>Укажите другой файл, чтобы ничего не потерять.</translation>
    </message>
    <message>
        <source>Name another file.</source>
        <translation>Укажите другой файл.</translation>
    </message>
    <message>
        <source>Name another folder, or a clip.</source>
        <translation>Укажите другую папку или видео.</translation>
    </message>
    <message>
        <source>Name one {} file in it.</source>
        <translation>Укажите один файл в ней ({0}).</translation>
    </message>
    <message>
        <source>Name the folder that it is in.</source>
        <translation>Укажите папку, в которой он лежит.</translation>
    </message>
    <message>
        <source>No NVIDIA driver was found.</source>
        <translation>Драйвер NVIDIA не найден.</translation>
    </message>
    <message>
        <source>No face was found in frame {} of the clip {}.</source>
        <translation>В кадре {0} видео {1} не найдено лицо.</translation>
    </message>
    <message>
        <source>No face was found in the clip {}.</source>
        <translation>В видео {0} не найдено лицо.</translation>
    </message>
    <message>
        <source>No face was found in {}.</source>
        <translation>На фото {0} не найдено лицо.</translation>
    </message>
    <message>
        <source>No instance named {} is running.</source>
        <translation>Экземпляр с именем {0} не запущен.</translation>
    </message>
    <message>
        <source>No microphone was found.</source>
        <translation>Микрофон не найден.</translation>
    </message>
    <message>
        <source>No other address is known. {}</source>
        <translation>Других адресов нет. {0}</translation>
    </message>
    <message>
        <source>No sound server answers in this session.</source>
        <translation>В этом сеансе не отвечает ни один звуковой сервер.</translation>
    </message>
    <message>
        <source>No video could be received on {}.</source>
        <translation>Не удалось принять видео на {0}.</translation>
    </message>
    <message>
        <source>Nobody takes the pictures at {}: {}.</source>
        <translation>По адресу {0} картинки никто не принимает: {1}.</translation>
    </message>
    <message>
        <source>Not installed: {}.</source>
        <translation>Не установлено: {0}.</translation>
    </message>
    <message>
        <source>Nothing can be sent to an address that begins with {}://.</source>
        <translation>На адрес, который начинается с {0}://, ничего отправить нельзя.</translation>
    </message>
    <message>
        <source>ONNX Runtime finds no graphics card.</source>
        <translation>ONNX Runtime не находит видеокарты.</translation>
    </message>
    <message>
        <source>ONNX Runtime {} cannot open {}.</source>
        <translation>ONNX Runtime {0} не может открыть {1}.</translation>
    </message>
    <message>
        <source>One driving picture gives one picture, not a clip such as {}.</source>
        <translation>Одна ведущая картинка даёт одну картинку, а не видео, как {0}.</translation>
    </message>
    <message>
        <source>One without a name is running: leave out --name to control it.</source>
        <translation>Запущен экземпляр без имени: чтобы управлять им, не указывайте --name.</translation>
    </message>
    <message>
        <source>Only pictures on this computer can be added.</source>
        <translation>Добавить можно только изображения с этого компьютера.</translation>
    </message>
    <message>
        <source>Only you can read those in {}.</source>
        <translation>Те, что в {0}, можете прочитать только вы.</translation>
    </message>
    <message>
        <source>Others can read {} in {}.</source>
        <translation>Другие могут прочитать {0} в {1}.</translation>
    </message>
    <message>
        <source>Packages</source>
        <translation>Пакеты</translation>
    </message>
    <message>
        <source>PipeWire</source>
        <translation>PipeWire</translation>
    </message>
    <message>
        <source>Port</source>
        <translation>Порт</translation>
    </message>
    <message>
        <source>PulseAudio&apos;s {} is not installed.</source>
        <translation>Программа {0} из PulseAudio не установлена.</translation>
    </message>
    <message>
        <source>PyTorch cannot be loaded ({})</source>
        <translation>PyTorch не загружается ({0})</translation>
    </message>
    <message>
        <source>PyTorch could not be fetched: {}.</source>
        <translation>Не удалось скачать PyTorch: {0}.</translation>
    </message>
    <message>
        <source>PyTorch could not be kept in {}: {}.</source>
        <translation>Не удалось сохранить PyTorch в {0}: {1}.</translation>
    </message>
    <message>
        <source>PyTorch is not installed</source>
        <translation>PyTorch не установлен</translation>
    </message>
    <message>
        <source>PyTorch was fetched, but does not compute on the graphics card: {}.</source>
        <translation>PyTorch скачан, но не работает на видеокарте: {0}.</translation>
    </message>
    <message>
        <source>PyTorch {} finds no usable device; the driver may be too old for CUDA {}</source>
        <translation>PyTorch {0} не находит подходящего устройства; возможно, драйвер слишком стар для CUDA {1}</translation>
    </message>
    <message>
        <source>PyTorch {} is built for newer cards</source>
        <translation>PyTorch {0} собран для более новых видеокарт</translation>
    </message>
    <message>
        <source>PyTorch {} is built for older cards</source>
        <translation>PyTorch {0} собран для более старых видеокарт</translation>
    </message>
    <message>
        <source>PyTorch {} is built for other cards than cuda:{}, of generation {}.{}</source>
        <translation>PyTorch {0} собран для других видеокарт, а cuda:{1} — поколения {2}.{3}</translation>
    </message>
    <message>
        <source>Python</source>
        <translation>Python</translation>
    </message>
    <message>
        <source>Run `avatar-app serve --listen 0.0.0.0 --sessions {}`.</source>
        <translation>Выполните `avatar-app serve --listen 0.0.0.0 --sessions {0}`.</translation>
    </message>
    <message>
        <source>Run `chmod 600 {}`.</source>
        <translation>Выполните `chmod 600 {0}`.</translation>
    </message>
    <message>
        <source>Run `cuda install`, or use --device cpu.</source>
        <translation>Выполните `cuda install` или используйте --device cpu.</translation>
    </message>
    <message>
        <source>Run `doctor` to try it again.</source>
        <translation>Запустите `doctor`, чтобы проверить её заново.</translation>
    </message>
    <message>
        <source>Run `systemctl --user start pipewire-pulse`, or start PulseAudio.</source>
        <translation>Выполните `systemctl --user start pipewire-pulse` или запустите PulseAudio.</translation>
    </message>
    <message>
        <source>Run `{} -m pip install pyvirtualcam`.</source>
        <translation>Выполните `{0} -m pip install pyvirtualcam`.</translation>
    </message>
    <message>
        <source>Run `{}`.</source>
        <translation>Выполните `{0}`.</translation>
    </message>
    <message>
        <source>Run {}, then `{}`. The output PipeWire needs no kernel module.</source>
        <translation>Выполните {0}, затем `{1}`. Камере PipeWire модуль ядра не нужен.</translation>
    </message>
    <message>
        <source>Run {}.</source>
        <translation>Выполните {0}.</translation>
    </message>
    <message>
        <source>Running now: {}. Say which one: `control --name {}`.</source>
        <translation>Сейчас запущены: {0}. Укажите, какой нужен: `control --name {1}`.</translation>
    </message>
    <message>
        <source>Save the picture first, then drop the file here.</source>
        <translation>Сначала сохраните изображение, затем перетащите сюда файл.</translation>
    </message>
    <message>
        <source>Say in, out, reset, or a number from 0.5 to 2.</source>
        <translation>Напишите in, out, reset или число от 0.5 до 2.</translation>
    </message>
    <message>
        <source>Say one of {}, hold after it to keep it, or off.</source>
        <translation>Напишите {0}; hold после слова удерживает мимику, off убирает.</translation>
    </message>
    <message>
        <source>Say {} or {}, or nothing to change it.</source>
        <translation>Напишите {0} или {1}, либо ничего, чтобы переключить.</translation>
    </message>
    <message>
        <source>Secrets</source>
        <translation>Секреты</translation>
    </message>
    <message>
        <source>See that PipeWire and WirePlumber run: `systemctl --user restart pipewire wireplumber`.</source>
        <translation>Проверьте, что PipeWire и WirePlumber запущены: `systemctl --user restart pipewire wireplumber`.</translation>
    </message>
    <message>
        <source>See that it is on, or choose another.</source>
        <translation>Проверьте, что он включён, или выберите другой.</translation>
    </message>
    <message>
        <source>See that the sound server runs.</source>
        <translation>Проверьте, что звуковой сервер работает.</translation>
    </message>
    <message>
        <source>Something covers the mouth in {}; the avatar&apos;s mouth will not look right.</source>
        <translation>На фото {0} рот чем-то закрыт; у аватара он будет выглядеть неправильно.</translation>
    </message>
    <message>
        <source>Something listens on {} already.</source>
        <translation>Порт {0} уже занят.</translation>
    </message>
    <message>
        <source>Start it again, or leave out the virtual microphone.</source>
        <translation>Запустите его снова или откажитесь от виртуального микрофона.</translation>
    </message>
    <message>
        <source>Start it without that limit (ulimit -v).</source>
        <translation>Запустите её без этого ограничения (ulimit -v).</translation>
    </message>
    <message>
        <source>Starting at log-in cannot be changed: {}.</source>
        <translation>Не удалось изменить запуск при входе в систему: {0}.</translation>
    </message>
    <message>
        <source>Stop `live` first to use the window.</source>
        <translation>Чтобы открыть окно, сначала остановите `live`.</translation>
    </message>
    <message>
        <source>That isn&apos;t a picture.</source>
        <translation>Это не изображение.</translation>
    </message>
    <message>
        <source>The FFmpeg in PyAV cannot send to {}.</source>
        <translation>FFmpeg в составе PyAV не умеет отправлять на {0}.</translation>
    </message>
    <message>
        <source>The PipeWire camera has taken no picture for {:.0f} seconds.</source>
        <translation>Камера PipeWire не принимает кадры уже {0:.0f} с.</translation>
    </message>
    <message>
        <source>The address to send to has no host or no port.</source>
        <translation>В адресе, куда отправлять, нет узла или порта.</translation>
    </message>
    <message>
        <source>The app cannot be controlled: {}.</source>
        <translation>Программой нельзя управлять извне: {0}.</translation>
    </message>
    <message>
        <source>The app did not answer within {:g} seconds.</source>
        <translation>Программа не ответила за {0:g} с.</translation>
    </message>
    <message>
        <source>The app ended {} times while it used the graphics card {}.</source>
        <translation>Программа аварийно завершалась при работе с видеокартой {1}, раз подряд: {0}.</translation>
    </message>
    <message>
        <source>The app is not running.</source>
        <translation>Программа не запущена.</translation>
    </message>
    <message>
        <source>The app is running already; its window came to the front, but does not take over {}.</source>
        <translation>Программа уже запущена; её окно вышло вперёд, но {0} оно не принимает.</translation>
    </message>
    <message>
        <source>The app runs without a window.</source>
        <translation>Программа запущена без окна.</translation>
    </message>
    <message>
        <source>The avatar is rendered as before.</source>
        <translation>Аватар рисуется, как и прежде.</translation>
    </message>
    <message>
        <source>The background cannot be used: {}</source>
        <translation>Этот фон использовать нельзя: {0}</translation>
    </message>
    <message>
        <source>The background {} is not a colour.</source>
        <translation>Фон {0} — не цвет.</translation>
    </message>
    <message>
        <source>The calibration cannot be kept on disk: {}.</source>
        <translation>Не удаётся сохранить калибровку на диск: {0}.</translation>
    </message>
    <message>
        <source>The camera has sent one and the same picture for {:.0f} seconds.</source>
        <translation>Камера передаёт одну и ту же картинку уже {0:.0f} с.</translation>
    </message>
    <message>
        <source>The camera {} ({}) cannot be opened: {}.</source>
        <translation>Не удаётся открыть камеру {0} ({1}): {2}.</translation>
    </message>
    <message>
        <source>The camera {} answers, but not with a video stream.</source>
        <translation>Камера {0} отвечает, но не передаёт видео.</translation>
    </message>
    <message>
        <source>The camera {} cannot be opened.</source>
        <translation>Не удаётся открыть камеру {0}.</translation>
    </message>
    <message>
        <source>The camera {} cannot be reached: {}.</source>
        <translation>Камера {0} недоступна: {1}.</translation>
    </message>
    <message>
        <source>The camera {} has ended the connection.</source>
        <translation>Камера {0} разорвала соединение.</translation>
    </message>
    <message>
        <source>The camera {} has sent no picture for {:g} seconds.</source>
        <translation>Камера {0} не передаёт картинку уже {1:g} с.</translation>
    </message>
    <message>
        <source>The camera {} has stopped sending.</source>
        <translation>Камера {0} перестала передавать.</translation>
    </message>
    <message>
        <source>The camera {} is in use by {}.</source>
        <translation>Камеру {0} использует {1}.</translation>
    </message>
    <message>
        <source>The camera {} sends damaged pictures.</source>
        <translation>Камера {0} передаёт повреждённую картинку.</translation>
    </message>
    <message>
        <source>The camera {} shows what this app sends.</source>
        <translation>Камера {0} показывает то, что отправляет это приложение.</translation>
    </message>
    <message>
        <source>The camera {} was closed.</source>
        <translation>Камера {0} закрыта.</translation>
    </message>
    <message>
        <source>The camera {} was unplugged.</source>
        <translation>Камеру {0} отключили.</translation>
    </message>
    <message>
        <source>The camera {} {}.</source>
        <translation>Камера {0} {1}.</translation>
    </message>
    <message>
        <source>The cameras here: {}.</source>
        <translation>Доступные камеры: {0}.</translation>
    </message>
    <message>
        <source>The clip {} cannot be read as a video: {}.</source>
        <translation>Файл {0} не читается как видео: {1}.</translation>
    </message>
    <message>
        <source>The clip {} has no frame from second {} to {}.</source>
        <translation>В видео {0} нет кадров с {1}-й по {2}-ю секунду.</translation>
    </message>
    <message>
        <source>The clip {} has no frame that can be decoded.</source>
        <translation>В видео {0} нет ни одного кадра, который удаётся прочитать.</translation>
    </message>
    <message>
        <source>The clip {} has no frame {}.</source>
        <translation>В видео {0} нет кадра {1}.</translation>
    </message>
    <message>
        <source>The clip {} has no video in it, only {}.</source>
        <translation>В файле {0} нет видео, только {1}.</translation>
    </message>
    <message>
        <source>The clip {} has pictures of a kind that cannot be decoded.</source>
        <translation>Видео {0} закодировано так, что его не прочитать.</translation>
    </message>
    <message>
        <source>The clip {} has pictures of {} x {} pixels, which is too large.</source>
        <translation>Кадры видео {0} слишком велики: {1} x {2} пикселей.</translation>
    </message>
    <message>
        <source>The clip {} is cut short: {} of at least {} bytes are there.</source>
        <translation>Видео {0} обрывается: есть {1} байт из {2}, не меньше.</translation>
    </message>
    <message>
        <source>The clip {} is damaged after frame {}: {}.</source>
        <translation>Видео {0} повреждено после кадра {1}: {2}.</translation>
    </message>
    <message>
        <source>The clip {} is over before second {}.</source>
        <translation>Видео {0} заканчивается раньше {1}-й секунды.</translation>
    </message>
    <message>
        <source>The clip {} was closed.</source>
        <translation>Видео {0} закрыто.</translation>
    </message>
    <message>
        <source>The command zoom does not know {}.</source>
        <translation>Команда zoom не знает {0}.</translation>
    </message>
    <message>
        <source>The command {} does not know {}.</source>
        <translation>Команда {0} не знает {1}.</translation>
    </message>
    <message>
        <source>The command {} is not a single line of {} bytes at most.</source>
        <translation>Команда {0} — не одна строка длиной до {1} байт.</translation>
    </message>
    <message>
        <source>The configuration has an unknown key {}: {}.</source>
        <translation>В конфигурации неизвестный ключ {0}: {1}.</translation>
    </message>
    <message>
        <source>The configuration key {} is {}, but it must be {}.</source>
        <translation>Ключ конфигурации {0} равен {1}, а должен быть: {2}.</translation>
    </message>
    <message>
        <source>The configuration key {} is {}, which is too large.</source>
        <translation>Ключ конфигурации {0} равен {1}: это слишком много.</translation>
    </message>
    <message>
        <source>The configuration lacks the key {}.{}.</source>
        <translation>В конфигурации нет ключа {0}.{1}.</translation>
    </message>
    <message>
        <source>The configuration lacks the section model_params.common_params.</source>
        <translation>В конфигурации нет раздела model_params.common_params.</translation>
    </message>
    <message>
        <source>The configuration lacks the section {}.</source>
        <translation>В конфигурации нет раздела {0}.</translation>
    </message>
    <message>
        <source>The configuration {} cannot be read: {}.</source>
        <translation>Не удаётся прочитать конфигурацию {0}: {1}.</translation>
    </message>
    <message>
        <source>The crop {} of {} is not a square of a photo.</source>
        <translation>Область {0} фото {1} — не квадрат внутри фото.</translation>
    </message>
    <message>
        <source>The description {} cannot be read: {}.</source>
        <translation>Не удаётся прочитать описание {0}: {1}.</translation>
    </message>
    <message>
        <source>The description {} is damaged: it is not JSON.</source>
        <translation>Описание {0} повреждено: это не JSON.</translation>
    </message>
    <message>
        <source>The description {} is damaged: {} {}.</source>
        <translation>Описание {0} повреждено: {1} {2}.</translation>
    </message>
    <message>
        <source>The desktop binds them: see its settings ({}).</source>
        <translation>Их назначает рабочая среда — см. её настройки ({0}).</translation>
    </message>
    <message>
        <source>The desktop gives no hotkeys: {}.</source>
        <translation>Рабочая среда не даёт горячих клавиш: {0}.</translation>
    </message>
    <message>
        <source>The display ended the hotkeys ({}).</source>
        <translation>Дисплей отключил горячие клавиши ({0}).</translation>
    </message>
    <message>
        <source>The display {} cannot be opened, so there are no hotkeys.</source>
        <translation>Дисплей {0} не открывается, поэтому горячих клавиш нет.</translation>
    </message>
    <message>
        <source>The display {} does not answer, so there are no hotkeys.</source>
        <translation>Дисплей {0} не отвечает, поэтому горячих клавиш нет.</translation>
    </message>
    <message>
        <source>The download cannot be written to {}: {}.</source>
        <translation>Не удаётся записать скачанное в {0}: {1}.</translation>
    </message>
    <message>
        <source>The driver of the graphics card {} ended the program that tried it.</source>
        <translation>Драйвер видеокарты {0} обрушил программу, которая её проверяла.</translation>
    </message>
    <message>
        <source>The edge of {} cuts off a part of the face.</source>
        <translation>Край фото {0} обрезает часть лица.</translation>
    </message>
    <message>
        <source>The eyes in {} are shut; the avatar cannot open them well.</source>
        <translation>На фото {0} глаза закрыты; аватар не сможет хорошо их открыть.</translation>
    </message>
    <message>
        <source>The face in {} is blurred; the picture will be soft.</source>
        <translation>Лицо на фото {0} смазано; изображение будет нерезким.</translation>
    </message>
    <message>
        <source>The face in {} is only {:.0f} pixels high; the picture will be soft.</source>
        <translation>Высота лица на фото {0} всего {1:.0f} пикселей; изображение будет нерезким.</translation>
    </message>
    <message>
        <source>The face in {} is seen from the side; one from the front moves better.</source>
        <translation>На фото {0} лицо видно сбоку; лицо анфас двигается лучше.</translation>
    </message>
    <message>
        <source>The face in {} is very dark.</source>
        <translation>Лицо на фото {0} очень тёмное.</translation>
    </message>
    <message>
        <source>The face networks are incomplete: no {} in {}.</source>
        <translation>Сети для поиска лиц неполны: нет {0} в {1}.</translation>
    </message>
    <message>
        <source>The file {} cannot be read: {}.</source>
        <translation>Не удаётся прочитать файл {0}: {1}.</translation>
    </message>
    <message>
        <source>The file {} is damaged: its SHA-256 is {}..., not {}....</source>
        <translation>Файл {0} повреждён: его SHA-256 — {1}..., а не {2}....</translation>
    </message>
    <message>
        <source>The file {} is not the one expected: its MD5 is not {}.</source>
        <translation>Файл {0} не тот: его MD5 — не {1}.</translation>
    </message>
    <message>
        <source>The folder {} cannot be made: {}.</source>
        <translation>Не удаётся создать папку {0}: {1}.</translation>
    </message>
    <message>
        <source>The folder {} cannot be read: {}.</source>
        <translation>Не удаётся прочитать папку {0}: {1}.</translation>
    </message>
    <message>
        <source>The folder {} does not let you write the output {}.</source>
        <translation>В папку {0} нельзя записать {1}.</translation>
    </message>
    <message>
        <source>The folder {} has neither clips nor pictures in it.</source>
        <translation>В папке {0} нет ни видео, ни картинок.</translation>
    </message>
    <message>
        <source>The folder {} has no pictures in it.</source>
        <translation>В папке {0} нет картинок.</translation>
    </message>
    <message>
        <source>The folder {} is not yours alone.</source>
        <translation>Папка {0} доступна не только вам.</translation>
    </message>
    <message>
        <source>The folder {} was closed.</source>
        <translation>Папка {0} закрыта.</translation>
    </message>
    <message>
        <source>The gallery has: {}.</source>
        <translation>В галерее есть: {0}.</translation>
    </message>
    <message>
        <source>The graphics card cuda:{} has failed: {}.</source>
        <translation>Сбой видеокарты cuda:{0}: {1}.</translation>
    </message>
    <message>
        <source>The graphics card {} did not answer for {:.0f} seconds.</source>
        <translation>Видеокарта {0} не отвечала {1:.0f} с.</translation>
    </message>
    <message>
        <source>The graphics card {} fails: {}</source>
        <translation>Сбой видеокарты {0}: {1}</translation>
    </message>
    <message>
        <source>The graphics card {} has failed.</source>
        <translation>Сбой видеокарты {0}.</translation>
    </message>
    <message>
        <source>The graphics card {} is gone.</source>
        <translation>Видеокарта {0} пропала.</translation>
    </message>
    <message>
        <source>The graphics card {} makes wrong pictures.</source>
        <translation>Видеокарта {0} выдаёт неверные кадры.</translation>
    </message>
    <message>
        <source>Shortcuts not available ({}): {}.</source>
        <translation>Сочетания клавиш недоступны ({0}): {1}.</translation>
    </message>
    <message>
        <source>Choose others in the settings.</source>
        <translation>Выберите другие в настройках.</translation>
    </message>
    <message>
        <source>The hotkey {} has no key that is known as {}.</source>
        <translation>В горячей клавише {0} нет клавиши с именем {1}.</translation>
    </message>
    <message>
        <source>The hotkey {} is given to both {} and {}; it does the first.</source>
        <translation>Горячая клавиша {0} назначена на два действия ({1} и {2}); работает первое.</translation>
    </message>
    <message>
        <source>The hotkey {} is not some of {} and then one key.</source>
        <translation>Горячая клавиша {0} должна состоять из {1} и одной клавиши в конце.</translation>
    </message>
    <message>
        <source>The hotkey {} would be pressed in ordinary typing.</source>
        <translation>Горячая клавиша {0} срабатывала бы при обычном наборе текста.</translation>
    </message>
    <message>
        <source>The kernel module is loaded without a device. Run `sudo modprobe -r v4l2loopback &amp;&amp; {}`.</source>
        <translation>Модуль ядра загружен без устройства. Выполните `sudo modprobe -r v4l2loopback &amp;&amp; {0}`.</translation>
    </message>
    <message>
        <source>The library cannot write {}: {}.</source>
        <translation>Галерея не может записать {0}: {1}.</translation>
    </message>
    <message>
        <source>The library pyvirtualcam cannot be loaded: {}.</source>
        <translation>Не удаётся загрузить библиотеку pyvirtualcam: {0}.</translation>
    </message>
    <message>
        <source>The library sounddevice cannot be loaded: {}.</source>
        <translation>Не удаётся загрузить библиотеку sounddevice: {0}.</translation>
    </message>
    <message>
        <source>The memory of cuda:{} is too small or taken for the model {}.</source>
        <translation>Памяти cuda:{0} не хватает для модели {1}.</translation>
    </message>
    <message>
        <source>The microphone {} cannot be opened: {}.</source>
        <translation>Не удаётся открыть микрофон {0}: {1}.</translation>
    </message>
    <message>
        <source>The microphone {} has stopped.</source>
        <translation>Микрофон {0} перестал работать.</translation>
    </message>
    <message>
        <source>The microphone {} sends nothing.</source>
        <translation>Микрофон {0} ничего не передаёт.</translation>
    </message>
    <message>
        <source>The model cannot be used: {}.</source>
        <translation>Модель использовать не удаётся: {0}.</translation>
    </message>
    <message>
        <source>The model file {} cannot be read.</source>
        <translation>Не удаётся прочитать файл модели {0}.</translation>
    </message>
    <message>
        <source>The model file {} fails when it is computed.</source>
        <translation>Ошибка при вычислении файла модели {0}.</translation>
    </message>
    <message>
        <source>The model has given no picture for {:.0f} seconds.</source>
        <translation>Модель не даёт новых кадров уже {0:.0f} с.</translation>
    </message>
    <message>
        <source>The model in {} has the format version {}, but this app reads version {}.</source>
        <translation>Модель в {0} имеет формат версии {1}, а программа читает версию {2}.</translation>
    </message>
    <message>
        <source>The model takes {:.0f} ms per frame on this computer.</source>
        <translation>На этом компьютере модель тратит на кадр {0:.0f} мс.</translation>
    </message>
    <message>
        <source>The model {} cannot be computed.</source>
        <translation>Не удаётся выполнить вычисления модели {0}.</translation>
    </message>
    <message>
        <source>The model {} cannot be written: {}.</source>
        <translation>Не удаётся записать модель {0}: {1}.</translation>
    </message>
    <message>
        <source>The model {} finds faces and cannot animate a photo.</source>
        <translation>Модель {0} находит лица и не умеет оживлять фото.</translation>
    </message>
    <message>
        <source>The model {} finds key points that are not numbers.</source>
        <translation>Модель {0} выдаёт ключевые точки, которые не являются числами.</translation>
    </message>
    <message>
        <source>The model {} has no detector on this computer.</source>
        <translation>У модели {0} на этом компьютере нет детектора.</translation>
    </message>
    <message>
        <source>The model {} has no file for graphics cards.</source>
        <translation>У модели {0} нет файла для видеокарт.</translation>
    </message>
    <message>
        <source>The model {} has no {}.</source>
        <translation>В модели {0} нет файла {1}.</translation>
    </message>
    <message>
        <source>The model {} is damaged: {} takes no picture of {} pixels.</source>
        <translation>Модель {0} повреждена: {1} не принимает изображение размером {2} пикселей.</translation>
    </message>
    <message>
        <source>The model {} is damaged: {} {}.</source>
        <translation>Модель {0} повреждена: {1} {2}.</translation>
    </message>
    <message>
        <source>The model {} is incomplete: {} is missing.</source>
        <translation>Модель {0} неполна: нет файла {1}.</translation>
    </message>
    <message>
        <source>The model {} makes no picture of {} pixels.</source>
        <translation>Модель {0} не создаёт изображение размером {1} пикселей.</translation>
    </message>
    <message>
        <source>The model {} takes one photo.</source>
        <translation>Модель {0} принимает одно фото.</translation>
    </message>
    <message>
        <source>The other computer at {} cannot be reached: {}.</source>
        <translation>Нет связи с другим компьютером ({0}): {1}.</translation>
    </message>
    <message>
        <source>The other computer at {} does not answer.</source>
        <translation>Другой компьютер ({0}) не отвечает.</translation>
    </message>
    <message>
        <source>The other computer at {} sent what cannot be used: {}.</source>
        <translation>Другой компьютер ({0}) прислал непригодные данные: {1}.</translation>
    </message>
    <message>
        <source>The other computer speaks another version of the protocol.</source>
        <translation>На другом компьютере другая версия протокола.</translation>
    </message>
    <message>
        <source>The package {} cannot be loaded.</source>
        <translation>Не удаётся загрузить пакет {0}.</translation>
    </message>
    <message>
        <source>The package {} is not installed.</source>
        <translation>Пакет {0} не установлен.</translation>
    </message>
    <message>
        <source>The photos that come with the app are missing.</source>
        <translation>Нет фотографий, которые поставляются с программой.</translation>
    </message>
    <message>
        <source>The picture {} has an ending that cannot be written.</source>
        <translation>Картинку {0} с таким расширением записать нельзя.</translation>
    </message>
    <message>
        <source>The pictures in {} are over after {} seconds.</source>
        <translation>Картинки в {0} заканчиваются через {1} с.</translation>
    </message>
    <message>
        <source>The processor computes instead. Update the card&apos;s driver, then run `doctor` again.</source>
        <translation>Вместо неё работает процессор. Обновите драйвер видеокарты и запустите `doctor` ещё раз.</translation>
    </message>
    <message>
        <source>The processor computes.</source>
        <translation>Вычисляет процессор.</translation>
    </message>
    <message>
        <source>The processor computes: ONNX Runtime finds no graphics card.</source>
        <translation>Вычисляет процессор: ONNX Runtime не находит видеокарты.</translation>
    </message>
    <message>
        <source>The processor computes: {:.0f} ms per frame, {} {:.0f} ms.</source>
        <translation>Вычисляет процессор: {0:.0f} мс на кадр, {1} — {2:.0f} мс.</translation>
    </message>
    <message>
        <source>The processor is as fast as the graphics card {}, or nearly so.</source>
        <translation>Процессор не медленнее видеокарты {0} или почти не медленнее.</translation>
    </message>
    <message>
        <source>The program {} is missing, which fetches PyTorch.</source>
        <translation>Нет программы {0}, которая скачивает PyTorch.</translation>
    </message>
    <message>
        <source>The running app has them ({}).</source>
        <translation>Ими пользуется запущенная программа ({0}).</translation>
    </message>
    <message>
        <source>The server at {} takes no more pictures.</source>
        <translation>Сервер {0} больше не принимает изображение.</translation>
    </message>
    <message>
        <source>The sound file {} cannot be read: {}.</source>
        <translation>Не удаётся прочитать звуковой файл {0}: {1}.</translation>
    </message>
    <message>
        <source>The sound server refuses: {}.</source>
        <translation>Звуковой сервер отказал: {0}.</translation>
    </message>
    <message>
        <source>The virtual microphone has stopped.</source>
        <translation>Виртуальный микрофон перестал работать.</translation>
    </message>
    <message>
        <source>There is no microphone &quot;{}&quot;.</source>
        <translation>Нет микрофона «{0}».</translation>
    </message>
    <message>
        <source>There is no sound in {}.</source>
        <translation>В {0} нет звука.</translation>
    </message>
    <message>
        <source>They will be made in {}.</source>
        <translation>Они будут созданы в {0}.</translation>
    </message>
    <message>
        <source>This computer&apos;s pactl is too old.</source>
        <translation>Программа pactl на этом компьютере слишком старая.</translation>
    </message>
    <message>
        <source>Try without sound.</source>
        <translation>Попробуйте без звука.</translation>
    </message>
    <message>
        <source>Update the NVIDIA driver to version {} or newer.</source>
        <translation>Обновите драйвер NVIDIA до версии {0} или новее.</translation>
    </message>
    <message>
        <source>Update the NVIDIA driver, restart the computer and try again.</source>
        <translation>Обновите драйвер NVIDIA, перезагрузите компьютер и попробуйте снова.</translation>
    </message>
    <message>
        <source>Use .png.</source>
        <translation>Подойдёт .png.</translation>
    </message>
    <message>
        <source>Use WAV, MP3, FLAC, M4A or a clip.</source>
        <translation>Подойдут WAV, MP3, FLAC, M4A или видео.</translation>
    </message>
    <message>
        <source>Use one of {}, or name a video file.</source>
        <translation>Подойдёт {0} или имя видеофайла.</translation>
    </message>
    <message>
        <source>Use rtmp:// or udp://, or PyAV built with that protocol.</source>
        <translation>Возьмите rtmp:// или udp:// либо PyAV, собранный с этим протоколом.</translation>
    </message>
    <message>
        <source>Write it as rtmp://host/app/key or udp://host:port.</source>
        <translation>Пишите так: rtmp://host/app/key или udp://host:port.</translation>
    </message>
    <message>
        <source>a file that ends in {} has no sound</source>
        <translation>в файлах с расширением {0} звука не бывает</translation>
    </message>
    <message>
        <source>avatar {}</source>
        <translation>аватар {0}</translation>
    </message>
    <message>
        <source>it has ended them</source>
        <translation>она их отключила</translation>
    </message>
    <message>
        <source>it has refused them</source>
        <translation>она их отклонила</translation>
    </message>
    <message>
        <source>look into the camera</source>
        <translation>взгляд в камеру</translation>
    </message>
    <message>
        <source>not on this keyboard</source>
        <translation>таких клавиш нет на этой клавиатуре</translation>
    </message>
    <message>
        <source>next</source>
        <translation>следующий аватар</translation>
    </message>
    <message>
        <source>no NVIDIA driver was found</source>
        <translation>драйвер NVIDIA не найден</translation>
    </message>
    <message>
        <source>no answer</source>
        <translation>ответа нет</translation>
    </message>
    <message>
        <source>no face in {} of {} frames; the last pose was held there</source>
        <translation>нет лица в кадрах: {0} из {1}; там держится последняя поза</translation>
    </message>
    <message>
        <source>no reason given</source>
        <translation>причина не указана</translation>
    </message>
    <message>
        <source>no reason was given</source>
        <translation>причина не указана</translation>
    </message>
    <message>
        <source>no-avatar</source>
        <translation>нет аватара</translation>
    </message>
    <message>
        <source>no-camera</source>
        <translation>нет камеры</translation>
    </message>
    <message>
        <source>no-face</source>
        <translation>нет лица</translation>
    </message>
    <message>
        <source>open in {}</source>
        <translation>открыта в {0}</translation>
    </message>
    <message>
        <source>pause</source>
        <translation>пауза</translation>
    </message>
    <message>
        <source>paused</source>
        <translation>пауза</translation>
    </message>
    <message>
        <source>photo</source>
        <translation>фото</translation>
    </message>
    <message>
        <source>portal of the Wayland desktop</source>
        <translation>портал рабочей среды Wayland</translation>
    </message>
    <message>
        <source>previous</source>
        <translation>предыдущий аватар</translation>
    </message>
    <message>
        <source>recalibrate</source>
        <translation>калибровка</translation>
    </message>
    <message>
        <source>refuses the access</source>
        <translation>не даёт доступа</translation>
    </message>
    <message>
        <source>sends us to {}</source>
        <translation>перенаправляет на {0}</translation>
    </message>
    <message>
        <source>sends {} instead of a video stream</source>
        <translation>передаёт {0} вместо видеопотока</translation>
    </message>
    <message>
        <source>shows avatar</source>
        <translation>Показывает аватар.</translation>
    </message>
    <message>
        <source>shows card {}</source>
        <translation>Показывает заставку ({0}).</translation>
    </message>
    <message>
        <source>shows self</source>
        <translation>Показывает вас.</translation>
    </message>
    <message>
        <source>sound file</source>
        <translation>звуковой файл</translation>
    </message>
    <message>
        <source>stale</source>
        <translation>ждёт новую картинку</translation>
    </message>
    <message>
        <source>starting</source>
        <translation>запускается</translation>
    </message>
    <message>
        <source>the clip has no sound to copy</source>
        <translation>в видео нет звука, который можно скопировать</translation>
    </message>
    <message>
        <source>the photo</source>
        <translation>без имени</translation>
    </message>
    <message>
        <source>they were declined</source>
        <translation>вы их отклонили</translation>
    </message>
    <message>
        <source>this PyTorch ({}) is built only for the processor</source>
        <translation>этот PyTorch ({0}) собран только для процессора</translation>
    </message>
    <message>
        <source>this PyTorch ({}) is built without CUDA</source>
        <translation>этот PyTorch ({0}) собран без CUDA</translation>
    </message>
    <message>
        <source>this model does not tell eyes from the face: --gaze does nothing</source>
        <translation>эта модель не отличает глаза от лица: --gaze ни на что не влияет</translation>
    </message>
    <message>
        <source>this model passes a pose on as it is, at full strength</source>
        <translation>эта модель передаёт позу как есть, в полную силу</translation>
    </message>
    <message>
        <source>would type a character on this keyboard</source>
        <translation>печатают символ на этой клавиатуре</translation>
    </message>
    <message>
        <source>uncalibrated</source>
        <translation>не откалибровано</translation>
    </message>
    <message>
        <source>not granted by the desktop</source>
        <translation>не разрешены рабочей средой</translation>
    </message>
    <message>
        <source>smile</source>
        <translation>улыбка</translation>
    </message>
    <message>
        <source>surprise</source>
        <translation>удивление</translation>
    </message>
    <message>
        <source>wink</source>
        <translation>подмигивание</translation>
    </message>
    <message>
        <source>{:.0f} fps with {}.</source>
        <translation>{0:.0f} кадр/с, {1}.</translation>
    </message>
    <message>
        <source>{:.0f} fps with {}: enough for {}, {} fps each.</source>
        <translation>{0:.0f} кадр/с, {1}: человек одновременно — {2}, по {3} кадр/с каждому.</translation>
    </message>
    <message>
        <source>{:.0f} fps with {}: less than one person needs.</source>
        <translation>{0:.0f} кадр/с, {1}: не хватит даже одному человеку.</translation>
    </message>
    <message>
        <source>{} (driver {})</source>
        <translation>{0} (драйвер {1})</translation>
    </message>
    <message>
        <source>{} ({} files)</source>
        <translation>{0} (файлов: {1})</translation>
    </message>
    <message>
        <source>{} ({} more)</source>
        <translation>{0} (и ещё {1})</translation>
    </message>
    <message>
        <source>{} are free ({}).</source>
        <translation>Свободны: {0} ({1}).</translation>
    </message>
    <message>
        <source>{} cannot be read: {}.</source>
        <translation>{0} не читается: {1}.</translation>
    </message>
    <message>
        <source>{} computes: {:.0f} ms per frame, the processor {:.0f} ms.</source>
        <translation>Вычисляет {0}: {1:.0f} мс на кадр, процессор — {2:.0f} мс.</translation>
    </message>
    <message>
        <source>{} could not be fetched: {}.</source>
        <translation>Не удалось скачать {0}: {1}.</translation>
    </message>
    <message>
        <source>{} did not take the photo in time.</source>
        <translation>{0} не принял фото вовремя.</translation>
    </message>
    <message>
        <source>{} holds no usable token.</source>
        <translation>В {0} нет пригодного ключа доступа.</translation>
    </message>
    <message>
        <source>{} is a folder, not a {}.</source>
        <translation>{0} — это папка, а не {1}.</translation>
    </message>
    <message>
        <source>{} is a picture, not a clip.</source>
        <translation>{0} — это изображение, а не видео.</translation>
    </message>
    <message>
        <source>{} is an address without its beginning.</source>
        <translation>{0} — адрес без начала.</translation>
    </message>
    <message>
        <source>{} is an animated {} picture, which cannot be read as a clip.</source>
        <translation>{0} — анимированная картинка {1}, как видео она не читается.</translation>
    </message>
    <message>
        <source>{} is free. Others reach it where no firewall blocks it.</source>
        <translation>{0} свободен. Он доступен другим, если его не закрывает брандмауэр.</translation>
    </message>
    <message>
        <source>{} is in use by {}</source>
        <translation>{0} занята программой {1}</translation>
    </message>
    <message>
        <source>{} is neither a file nor a folder.</source>
        <translation>{0} — не файл и не папка.</translation>
    </message>
    <message>
        <source>{} is not a picture that can be read.</source>
        <translation>{0} — не изображение, которое можно прочитать.</translation>
    </message>
    <message>
        <source>{} is not the computer that the pairing line is from: its certificate is another one.</source>
        <translation>{0} — не тот компьютер, с которого взята строка подключения: у него другой сертификат.</translation>
    </message>
    <message>
        <source>{} is not used: {}.</source>
        <translation>{0} не используется: {1}.</translation>
    </message>
    <message>
        <source>{} is one picture, which has no parts.</source>
        <translation>{0} — одна картинка, отрезков в ней нет.</translation>
    </message>
    <message>
        <source>{} lay on its side or upside down; it was turned.</source>
        <translation>{0}: фото лежало на боку или вверх ногами; оно повёрнуто.</translation>
    </message>
    <message>
        <source>{} more</source>
        <translation>ещё {0}</translation>
    </message>
    <message>
        <source>{} on {} {}</source>
        <translation>{0}, {1}, {2}</translation>
    </message>
    <message>
        <source>{} photos could not be added. The first: {}</source>
        <translation>Не удалось добавить фото: {0}. Первое: {1}</translation>
    </message>
    <message>
        <source>{} takes one photo.</source>
        <translation>{0} принимает одно фото.</translation>
    </message>
    <message>
        <source>{} threads cannot compute anything.</source>
        <translation>Число потоков {0} не подходит.</translation>
    </message>
    <message>
        <source>{} up to {} x {}</source>
        <translation>{0} до {1} x {2}</translation>
    </message>
    <message>
        <source>{} would take far too much memory or time to read, so it was not.</source>
        <translation>Чтение {0} заняло бы слишком много памяти или времени, поэтому файл не прочитан.</translation>
    </message>
    <message>
        <source>{} would take far too much memory to read, so it was not.</source>
        <translation>Чтение {0} заняло бы слишком много памяти, поэтому файл не прочитан.</translation>
    </message>
    <message>
        <source>{}: as published.</source>
        <translation>{0}: соответствуют опубликованным.</translation>
    </message>
    <message>
        <source>Install the same version of the app on both.</source>
        <translation>Установите на оба одну и ту же версию приложения.</translation>
    </message>
    <message>
        <source>The other computer serves as many people as it can.</source>
        <translation>Другой компьютер уже обслуживает всех, кого может.</translation>
    </message>
    <message>
        <source>Try again later, or use another one.</source>
        <translation>Попробуйте позже или выберите другой.</translation>
    </message>
    <message>
        <source>This is not a pairing line.</source>
        <translation>Это не строка подключения.</translation>
    </message>
    <message>
        <source>Copy the whole line that `avatar-app serve` prints; it begins with avatar://.</source>
        <translation>Скопируйте целиком строку, которую выводит `avatar-app serve`; она начинается с avatar://.</translation>
    </message>
    <message>
        <source>Run `models list` to see all models; import or fetch this one again.</source>
        <translation>Выполните `models list`, чтобы увидеть все модели; импортируйте или скачайте эту заново.</translation>
    </message>
    <message>
        <source>Update the app, or import the model again.</source>
        <translation>Обновите программу или импортируйте модель заново.</translation>
    </message>
    <message>
        <source>Import it again, so that all files are made.</source>
        <translation>Импортируйте её заново, чтобы создались все файлы.</translation>
    </message>
    <message>
        <source>No face was found in the picture.</source>
        <translation>На изображении не найдено лицо.</translation>
    </message>
    <message>
        <source>This model needs one: use a picture of one face, seen from the front.</source>
        <translation>Этой модели нужно лицо: возьмите фото одного лица анфас.</translation>
    </message>
    <message>
        <source>Install the version of onnxruntime in requirements.txt, or import the model again.</source>
        <translation>Установите версию onnxruntime из requirements.txt или импортируйте модель заново.</translation>
    </message>
    <message>
        <source>Choose another one of `models list`.</source>
        <translation>Выберите другую из `models list`.</translation>
    </message>
    <message>
        <source>Install PyTorch for CUDA (pytorch.org says how), or use --device cpu.</source>
        <translation>Установите PyTorch для CUDA (как — написано на pytorch.org) или выберите процессор.</translation>
    </message>
    <message>
        <source>Use --device cpu.</source>
        <translation>Выберите процессор.</translation>
    </message>
    <message>
        <source>Restart the computer, or choose the processor (--device cpu).</source>
        <translation>Перезагрузите компьютер или выберите процессор (--device cpu).</translation>
    </message>
    <message>
        <source>The processor is used, which is slower.</source>
        <translation>Теперь используется процессор, это медленнее.</translation>
    </message>
    <message>
        <source>Close other programs that use it, or use --device cpu.</source>
        <translation>Закройте другие программы, которые её занимают, или выберите процессор.</translation>
    </message>
    <message>
        <source>Import it again.</source>
        <translation>Импортируйте её заново.</translation>
    </message>
    <message>
        <source>Install the app again.</source>
        <translation>Установите программу заново.</translation>
    </message>
    <message>
        <source>Check the path and its spelling.</source>
        <translation>Проверьте путь и его написание.</translation>
    </message>
    <message>
        <source>Check its path and permissions.</source>
        <translation>Проверьте путь и права доступа.</translation>
    </message>
    <message>
        <source>Use one in which the face alone is 150 pixels high or more.</source>
        <translation>Возьмите такое, где одно только лицо занимает 150 пикселей в высоту или больше.</translation>
    </message>
    <message>
        <source>What was pasted is not a picture that can be read.</source>
        <translation>То, что вставлено, — не изображение, которое можно прочитать.</translation>
    </message>
    <message>
        <source>Copy or download it again.</source>
        <translation>Скопируйте или скачайте его ещё раз.</translation>
    </message>
    <message>
        <source>Type at least one letter.</source>
        <translation>Введите хотя бы одну букву.</translation>
    </message>
    <message>
        <source>Reload the list.</source>
        <translation>Обновите список.</translation>
    </message>
    <message>
        <source>Check its permissions.</source>
        <translation>Проверьте права доступа.</translation>
    </message>
    <message>
        <source>Free some space, or check the folder&apos;s permissions.</source>
        <translation>Освободите место или проверьте права доступа к папке.</translation>
    </message>
    <message>
        <source>The picture in the clipboard cannot be read.</source>
        <translation>Не удаётся прочитать изображение из буфера обмена.</translation>
    </message>
    <message>
        <source>Save it as a file, then add the file.</source>
        <translation>Сохраните его в файл и добавьте файл.</translation>
    </message>
    <message>
        <source>Use a photo of one face, seen from the front and well lit.</source>
        <translation>Возьмите хорошо освещённое фото одного лица анфас.</translation>
    </message>
    <message>
        <source>Choose another one.</source>
        <translation>Выберите другое.</translation>
    </message>
    <message>
        <source>The log has the details.</source>
        <translation>Подробности в журнале.</translation>
    </message>
    <message>
        <source>It is tried again; the log has the details.</source>
        <translation>Будет сделана новая попытка; подробности в журнале.</translation>
    </message>
    <message>
        <source>The computer&apos;s memory is full.</source>
        <translation>Память компьютера заполнена.</translation>
    </message>
    <message>
        <source>Import or fetch it again, or choose another one.</source>
        <translation>Импортируйте или скачайте её заново либо выберите другую.</translation>
    </message>
    <message>
        <source>Import or fetch this model again.</source>
        <translation>Импортируйте или скачайте эту модель заново.</translation>
    </message>
    <message>
        <source>Close other programs, then try again.</source>
        <translation>Закройте другие программы и попробуйте снова.</translation>
    </message>
    <message>
        <source>Close other programs; it is tried again.</source>
        <translation>Закройте другие программы; попытка повторится сама.</translation>
    </message>
    <message>
        <source>Close other programs, or choose a quicker model, or a graphics card if there is one.</source>
        <translation>Закройте другие программы, выберите модель побыстрее или видеокарту, если она есть.</translation>
    </message>
    <message>
        <source>All are there.</source>
        <translation>Все на месте.</translation>
    </message>
    <message>
        <source>All that one process needs is there; Ray, for `cluster`, is not.</source>
        <translation>Для одного процесса всё есть; Ray для `cluster` не установлен.</translation>
    </message>
    <message>
        <source>Choose one of {}, cuda:N or a pairing line.</source>
        <translation>Выберите одно из: {0}, cuda:N или строку подключения.</translation>
    </message>
    <message>
        <source>If none comes, start the app again and choose another model.</source>
        <translation>Если кадров так и не будет, перезапустите программу и выберите другую модель.</translation>
    </message>
    <message>
        <source>If there is another card, run `{} -m pip install {}`.</source>
        <translation>Если есть другая видеокарта, выполните `{0} -m pip install {1}`.</translation>
    </message>
    <message>
        <source>Import or fetch it again.</source>
        <translation>Импортируйте или скачайте её ещё раз.</translation>
    </message>
    <message>
        <source>Install its driver, or use --device cpu.</source>
        <translation>Установите её драйвер или укажите --device cpu.</translation>
    </message>
    <message>
        <source>Install the version that the app asks for.</source>
        <translation>Установите версию, которую указывает программа.</translation>
    </message>
    <message>
        <source>No NVIDIA card; {}.</source>
        <translation>Видеокарты NVIDIA нет; {0}.</translation>
    </message>
    <message>
        <source>Run `cuda install`, or press “Use my NVIDIA card” in the window&apos;s settings.</source>
        <translation>Выполните `cuda install` или нажмите «Использовать видеокарту NVIDIA» в настройках окна.</translation>
    </message>
    <message>
        <source>Start it first: `{}`, or `{} live`.</source>
        <translation>Сначала запустите её: `{0}` или `{1} live`.</translation>
    </message>
    <message>
        <source>The camera does not see a face.</source>
        <translation>Камера не видит лица.</translation>
    </message>
    <message>
        <source>The output {} cannot be transparent.</source>
        <translation>Файл {0} не может быть прозрачным.</translation>
    </message>
    <message>
        <source>The output {} cannot be written: {}.</source>
        <translation>Не удаётся записать {0}: {1}.</translation>
    </message>
    <message>
        <source>The output {} has an ending that cannot be written.</source>
        <translation>У файла {0} расширение, в которое нельзя записать.</translation>
    </message>
    <message>
        <source>The output {} is a folder.</source>
        <translation>{0} — это папка, а нужен файл.</translation>
    </message>
    <message>
        <source>The output {} is also an input.</source>
        <translation>Файл {0} указан и для чтения, и для записи.</translation>
    </message>
    <message>
        <source>The output {} is not a plain file.</source>
        <translation>{0} — не обычный файл.</translation>
    </message>
    <message>
        <source>The pairing line for {} has no pin, so nobody knows who answers there.</source>
        <translation>В строке подключения к {0} нет отпечатка, поэтому неизвестно, кто там отвечает.</translation>
    </message>
    <message>
        <source>The photo cannot be sent.</source>
        <translation>Фото не удаётся отправить.</translation>
    </message>
    <message>
        <source>The photo cannot be used: {}.</source>
        <translation>Фото использовать не удаётся: {0}.</translation>
    </message>
    <message>
        <source>The photo lay on its side or upside down; it was turned.</source>
        <translation>Фото лежало на боку или вверх ногами; оно повёрнуто.</translation>
    </message>
    <message>
        <source>The photo {} cannot be removed: {}.</source>
        <translation>Не удаётся удалить фото {0}: {1}.</translation>
    </message>
    <message>
        <source>The photo {} has only {} x {} pixels.</source>
        <translation>В фото {0} всего {1} x {2} пикселей.</translation>
    </message>
    <message>
        <source>The photo {} is damaged or cut short: {}.</source>
        <translation>Фото {0} повреждено или обрывается: {1}.</translation>
    </message>
    <message>
        <source>The photo {} is far too large to be read.</source>
        <translation>Фото {0} слишком велико, его нельзя прочитать.</translation>
    </message>
    <message>
        <source>The photo {} is no longer in the library.</source>
        <translation>Фото {0} больше нет в галерее.</translation>
    </message>
    <message>
        <source>The photo {} needs a name.</source>
        <translation>Укажите имя фото {0}.</translation>
    </message>
    <message>
        <source>The photo {} of last time is gone.</source>
        <translation>Фото {0}, которое было выбрано в прошлый раз, больше нет.</translation>
    </message>
    <message>
        <source>The picture cannot be read.</source>
        <translation>Не удаётся прочитать изображение.</translation>
    </message>
    <message>
        <source>The picture has only {} x {} pixels.</source>
        <translation>В изображении всего {0} x {1} пикселей.</translation>
    </message>
    <message>
        <source>The picture is damaged or cut short: {}.</source>
        <translation>Изображение повреждено или обрывается: {0}.</translation>
    </message>
    <message>
        <source>The picture is far too large to be read.</source>
        <translation>Изображение слишком велико, чтобы его прочитать.</translation>
    </message>
    <message>
        <source>The picture {} cannot be written: {}.</source>
        <translation>Не удаётся записать изображение {0}: {1}.</translation>
    </message>
    <message>
        <source>The recording {} cannot be written: {}.</source>
        <translation>Не удаётся записать видео {0}: {1}.</translation>
    </message>
    <message>
        <source>The report {} cannot be written: {}.</source>
        <translation>Не удаётся записать отчёт {0}: {1}.</translation>
    </message>
    <message>
        <source>The session cannot start: {}.</source>
        <translation>Не удаётся запустить сеанс: {0}.</translation>
    </message>
    <message>
        <source>The setting {} in {} is not known; it is ignored.</source>
        <translation>Настройка {0} в {1} неизвестна и пропущена.</translation>
    </message>
    <message>
        <source>The setting {} in {} is {}, but must be {}; {} is used.</source>
        <translation>Настройка {0} в {1} равна {2}, а должна быть {3}; используется {4}.</translation>
    </message>
    <message>
        <source>The settings {} are damaged; the defaults are used.</source>
        <translation>Настройки {0} повреждены; используются исходные.</translation>
    </message>
    <message>
        <source>The settings {} cannot be read: {}; the defaults are used.</source>
        <translation>Не удаётся прочитать настройки {0}: {1}; используются исходные.</translation>
    </message>
    <message>
        <source>The settings {} cannot be read: {}; they are kept as {}, and the defaults are used.</source>
        <translation>Не удаётся прочитать настройки {0}: {1}; они сохранены как {2}, используются исходные.</translation>
    </message>
    <message>
        <source>The settings {} cannot be written: {}.</source>
        <translation>Не удаётся записать настройки {0}: {1}.</translation>
    </message>
    <message>
        <source>The settings {} were damaged; they are kept as {}, and the defaults are used.</source>
        <translation>Настройки {0} были повреждены; они сохранены как {1}, используются исходные.</translation>
    </message>
    <message>
        <source>The system gives no hotkeys: {}.</source>
        <translation>Система не предоставляет горячие клавиши: {0}.</translation>
    </message>
    <message>
        <source>The virtual camera cannot be opened: {}.</source>
        <translation>Не удаётся открыть виртуальную камеру: {0}.</translation>
    </message>
    <message>
        <source>The virtual camera could not be set up: {}.</source>
        <translation>Не удалось настроить виртуальную камеру: {0}.</translation>
    </message>
    <message>
        <source>The virtual camera {} cannot be opened: {}.</source>
        <translation>Не удаётся открыть виртуальную камеру {0}: {1}.</translation>
    </message>
    <message>
        <source>The virtual camera {} is gone.</source>
        <translation>Виртуальная камера {0} исчезла.</translation>
    </message>
    <message>
        <source>The virtual camera {} takes no pictures: {}.</source>
        <translation>Виртуальная камера {0} не принимает кадры: {1}.</translation>
    </message>
    <message>
        <source>The weights of the model {} do not fit its description.</source>
        <translation>Веса модели {0} не соответствуют её описанию.</translation>
    </message>
    <message>
        <source>The {} stopped: the computer&apos;s memory is full.</source>
        <translation>Остановился этап {0}: память компьютера заполнена.</translation>
    </message>
    <message>
        <source>The {} stopped: {}.</source>
        <translation>Остановился этап {0}: {1}.</translation>
    </message>
    <message>
        <source>The {} {} cannot be read: {}.</source>
        <translation>Не удаётся прочитать {0} {1}: {2}.</translation>
    </message>
    <message>
        <source>The {} {} is a file, not a folder.</source>
        <translation>{1} ({0}) — это файл, а не папка.</translation>
    </message>
    <message>
        <source>The {} {} is empty (0 bytes).</source>
        <translation>Файл {0} {1} пуст (0 байт).</translation>
    </message>
    <message>
        <source>There are no photos in {}.</source>
        <translation>В папке {0} нет фотографий.</translation>
    </message>
    <message>
        <source>There are {} faces in {}, so there is no face {}.</source>
        <translation>Лиц на фото {1}: {0}, поэтому лица номер {2} нет.</translation>
    </message>
    <message>
        <source>There are {} faces in {}; number {} from the left moves.</source>
        <translation>Лиц на фото {1}: {0}; движется {2}-е слева.</translation>
    </message>
    <message>
        <source>There is 1 face in {}, so there is no face {}.</source>
        <translation>На фото {0} одно лицо, поэтому лица номер {1} нет.</translation>
    </message>
    <message>
        <source>There is a file {} already.</source>
        <translation>Файл {0} уже есть.</translation>
    </message>
    <message>
        <source>There is a model called {} already, in {}.</source>
        <translation>Модель с именем {0} уже есть, в {1}.</translation>
    </message>
    <message>
        <source>There is no camera &quot;{}&quot;.</source>
        <translation>Нет камеры «{0}».</translation>
    </message>
    <message>
        <source>There is no camera, file or folder &quot;{}&quot;.</source>
        <translation>Нет камеры, файла или папки «{0}».</translation>
    </message>
    <message>
        <source>There is no device cuda:{}: {} found.</source>
        <translation>Нет устройства cuda:{0}: найдено {1}.</translation>
    </message>
    <message>
        <source>There is no device {}.</source>
        <translation>Нет устройства {0}.</translation>
    </message>
    <message>
        <source>There is no folder {} for the output.</source>
        <translation>Нет папки {0}, в которую нужно записать результат.</translation>
    </message>
    <message>
        <source>There is no model called {}.</source>
        <translation>Нет модели с именем {0}.</translation>
    </message>
    <message>
        <source>There is no model in the folder {}: it has no {}.</source>
        <translation>В папке {0} нет модели: там нет файла {1}.</translation>
    </message>
    <message>
        <source>There is no photo {}, neither as a file nor in the gallery.</source>
        <translation>Фото {0} нет ни среди файлов, ни в галерее.</translation>
    </message>
    <message>
        <source>There is no picture in the clipboard.</source>
        <translation>В буфере обмена нет изображения.</translation>
    </message>
    <message>
        <source>There is no screen to open a window on.</source>
        <translation>Нет экрана, на котором можно открыть окно.</translation>
    </message>
    <message>
        <source>There is no virtual camera {}.</source>
        <translation>Нет виртуальной камеры {0}.</translation>
    </message>
    <message>
        <source>There is no {} {}.</source>
        <translation>Нет {0} {1}.</translation>
    </message>
    <message>
        <source>This model cannot make the background transparent.</source>
        <translation>Эта модель не умеет делать фон прозрачным.</translation>
    </message>
    <message>
        <source>This program may use {} MB of memory and needs more than {} MB.</source>
        <translation>Этой программе разрешено {0} МБ памяти, а нужно больше {1} МБ.</translation>
    </message>
    <message>
        <source>Turn the camera off in the call and on again.</source>
        <translation>Выключите камеру в звонке и включите снова.</translation>
    </message>
    <message>
        <source>Turn the camera, or its picture: under Camera in the window, or with `live --rotate {}`.</source>
        <translation>Поверните камеру или её изображение: в окне в разделе «Камера» или командой `live --rotate {0}`.</translation>
    </message>
    <message>
        <source>Two outputs have the same name {}.</source>
        <translation>Имя {0} указано для двух файлов сразу.</translation>
    </message>
    <message>
        <source>Use a clip of one face, seen from the front and well lit.</source>
        <translation>Возьмите хорошо освещённое видео с одним лицом анфас.</translation>
    </message>
    <message>
        <source>Use a photo that shows the face from the front, or crop this one by hand.</source>
        <translation>Возьмите фото анфас или кадрируйте это вручную.</translation>
    </message>
    <message>
        <source>Use another file.</source>
        <translation>Возьмите другой файл.</translation>
    </message>
    <message>
        <source>Use letters, digits, &apos;-&apos;, &apos;_&apos; and &apos;.&apos;, and begin with a letter or digit.</source>
        <translation>Используйте буквы, цифры, «-», «_» и «.»; первой должна быть буква или цифра.</translation>
    </message>
    <message>
        <source>Use one of {}, or another background.</source>
        <translation>Используйте одно из: {0} — или другой фон.</translation>
    </message>
    <message>
        <source>Use one of {}.</source>
        <translation>Используйте одно из: {0}.</translation>
    </message>
    <message>
        <source>Use the command `live` for a call without a window.</source>
        <translation>Для звонка без окна есть команда `live`.</translation>
    </message>
    <message>
        <source>Use the model lite, or another background.</source>
        <translation>Возьмите модель lite или другой фон.</translation>
    </message>
    <message>
        <source>What answers at {} is not a webcam.</source>
        <translation>По адресу {0} отвечает не камера.</translation>
    </message>
    <message>
        <source>What {} sends is not the file expected: its MD5 is not {}.</source>
        <translation>{0} передаёт не тот файл: его MD5 — не {1}.</translation>
    </message>
    <message>
        <source>Write more of the name: {}.</source>
        <translation>Напишите имя полнее: {0}.</translation>
    </message>
    <message>
        <source>X2Face has no relative motion.</source>
        <translation>У X2Face нет относительного движения.</translation>
    </message>
    <message>
        <source>X2Face has no relative motion; the driver&apos;s pose is shown as it is</source>
        <translation>у X2Face нет относительного движения; поза передаётся как есть</translation>
    </message>
    <message>
        <source>You have no permission to use the camera {} ({}).</source>
        <translation>У вас нет прав на камеру {0} ({1}).</translation>
    </message>
    <message>
        <source>You may not use {} ({}).</source>
        <translation>Нет прав на использование {0} ({1}).</translation>
    </message>
    <message>
        <source>You may not use {}.</source>
        <translation>Нет прав на использование {0}.</translation>
    </message>
    <message>
        <source>You may not write to the virtual camera {} ({}).</source>
        <translation>У вас нет прав на запись в виртуальную камеру {0} ({1}).</translation>
    </message>
    <message>
        <source>Your pose is shown as it is: sit as in the photo.</source>
        <translation>Ваша поза передаётся как есть: сядьте так же, как на фото.</translation>
    </message>
    <message>
        <source>There is no picture to keep yet.</source>
        <translation>Сохранять пока нечего.</translation>
    </message>
    <message>
        <source>Wait until the output shows one.</source>
        <translation>Подождите, пока появится изображение.</translation>
    </message>
    <message>
        <source>Free some space or name another folder.</source>
        <translation>Освободите место или укажите другую папку.</translation>
    </message>
    <message>
        <source>No camera is connected.</source>
        <translation>Ни одна камера не подключена.</translation>
    </message>
    <message>
        <source>The picture is empty (0 bytes).</source>
        <translation>Изображение пусто (0 байт).</translation>
    </message>
    <message>
        <source>Choose one in the gallery.</source>
        <translation>Выберите фото в галерее.</translation>
    </message>
    <message>
        <source>It works until you quit the app. Free some space and calibrate again.</source>
        <translation>Она действует, пока вы не выйдете из программы. Освободите место и откалибруйте снова.</translation>
    </message>
    <message>
        <source>Sit in front of the camera, with light from the front.</source>
        <translation>Сядьте перед камерой, чтобы свет падал спереди.</translation>
    </message>
    <message>
        <source>Sit in front of the camera. If it is you, move your head a little.</source>
        <translation>Сядьте перед камерой. Если это вы, немного подвигайте головой.</translation>
    </message>
    <message>
        <source>Name a video file or a folder of pictures.</source>
        <translation>Укажите видеофайл или папку с картинками.</translation>
    </message>
    <message>
        <source>Close other programs that use it, or unplug it and connect it again.</source>
        <translation>Закройте другие программы, которые её используют, или отключите её и подключите снова.</translation>
    </message>
    <message>
        <source>Check that it is on, its address and the network.</source>
        <translation>Проверьте, что она включена, её адрес и сеть.</translation>
    </message>
    <message>
        <source>Close other programs that use it, and allow this one to use cameras in the system&apos;s privacy settings.</source>
        <translation>Закройте другие программы, которые её используют, и разрешите доступ к камере в настройках конфиденциальности системы.</translation>
    </message>
    <message>
        <source>Check the path of the address, the user and the password, as in rtsp://user:password@host/path.</source>
        <translation>Проверьте путь в адресе, имя и пароль, например rtsp://user:password@host/path.</translation>
    </message>
    <message>
        <source>Add yourself to the group &quot;video&quot; with: sudo usermod -aG video $USER. Then log out and in again.</source>
        <translation>Добавьте себя в группу «video»: sudo usermod -aG video $USER. Затем выйдите из системы и войдите снова.</translation>
    </message>
    <message>
        <source>macOS asks whether this program may use the camera.</source>
        <translation>macOS спрашивает, можно ли этой программе пользоваться камерой.</translation>
    </message>
    <message>
        <source>Allow it; the camera then opens by itself.</source>
        <translation>Разрешите; камера затем откроется сама.</translation>
    </message>
    <message>
        <source>`fuser {}` names it.</source>
        <translation>Её назовёт `fuser {0}`.</translation>
    </message>
    <message>
        <source>answers with status {}</source>
        <translation>отвечает с кодом {0}</translation>
    </message>
    <message>
        <source>asks for a user name and a password</source>
        <translation>требует имя пользователя и пароль</translation>
    </message>
    <message>
        <source>asks for {}</source>
        <translation>требует {0}</translation>
    </message>
    <message>
        <source>clip</source>
        <translation>видео</translation>
    </message>
    <message>
        <source>does not accept the user name or the password</source>
        <translation>не принимает имя пользователя или пароль</translation>
    </message>
    <message>
        <source>does not make {}</source>
        <translation>не выдаёт {0}</translation>
    </message>
    <message>
        <source>fault</source>
        <translation>сбой</translation>
    </message>
    <message>
        <source>has nothing at this path</source>
        <translation>ничего не отдаёт по этому пути</translation>
    </message>
    <message>
        <source>is busy</source>
        <translation>занята</translation>
    </message>
    <message>
        <source>refused by the system, error {}</source>
        <translation>отклонены системой, ошибка {0}</translation>
    </message>
    <message>
        <source>taken by another program</source>
        <translation>заняты другой программой</translation>
    </message>
    <message>
        <source>macOS does not let this program use the camera.</source>
        <translation>macOS не разрешает этой программе пользоваться камерой.</translation>
    </message>
    <message>
        <source>Open System Settings, Privacy &amp; Security, Camera; switch on the program that you start this one from, such as Terminal; then start both again.</source>
        <translation>Откройте «Системные настройки», «Конфиденциальность и безопасность», «Камера»; включите там программу, из которой вы запускаете эту, например «Терминал»; затем запустите обе снова.</translation>
    </message>
    <message>
        <source>The rules of this Mac forbid cameras.</source>
        <translation>Правила этого Mac запрещают использовать камеру.</translation>
    </message>
    <message>
        <source>Ask whoever manages it, or see Screen Time in System Settings.</source>
        <translation>Спросите того, кто им управляет, или посмотрите «Экранное время» в «Системных настройках».</translation>
    </message>
    <message>
        <source>Connect it again.</source>
        <translation>Подключите её снова.</translation>
    </message>
    <message>
        <source>Check that it is on and in reach.</source>
        <translation>Проверьте, что она включена и доступна.</translation>
    </message>
    <message>
        <source>Take it out of the folder, or save it again.</source>
        <translation>Уберите её из папки или сохраните заново.</translation>
    </message>
    <message>
        <source>Use the address of its video stream, often ending in /video, /stream or /mjpg/video.mjpg.</source>
        <translation>Укажите адрес её видеопотока; часто он кончается на /video, /stream или /mjpg/video.mjpg.</translation>
    </message>
    <message>
        <source>Write them into the address, as in http://user:password@host/video.</source>
        <translation>Впишите их в адрес, например http://user:password@host/video.</translation>
    </message>
    <message>
        <source>Check the user name and the password in the address.</source>
        <translation>Проверьте имя и пароль в адресе.</translation>
    </message>
    <message>
        <source>Close other programs that watch it, or try again later.</source>
        <translation>Закройте другие программы, которые её смотрят, или попробуйте позже.</translation>
    </message>
    <message>
        <source>Check that it is on, or connect it again.</source>
        <translation>Проверьте, что она включена, или подключите её снова.</translation>
    </message>
    <message>
        <source>Check its cable or its network.</source>
        <translation>Проверьте кабель или сеть.</translation>
    </message>
    <message>
        <source>Open its shutter, or unplug it and plug it in again.</source>
        <translation>Откройте шторку или отключите камеру и подключите снова.</translation>
    </message>
    <message>
        <source>Use a JPEG, PNG, WebP or HEIC file.</source>
        <translation>Используйте файл JPEG, PNG, WebP или HEIC.</translation>
    </message>
    <message>
        <source>Save it again as a JPEG of 100 megapixels or less.</source>
        <translation>Сохраните его заново как JPEG, не больше 100 мегапикселей.</translation>
    </message>
    <message>
        <source>The first avatar was taken; choose any other.</source>
        <translation>Взят первый аватар; можно выбрать любой другой.</translation>
    </message>
    <message>
        <source>Count them from the left, from 1.</source>
        <translation>Считайте слева, начиная с 1.</translation>
    </message>
    <message>
        <source>The only face in view does not move, so it is taken for a picture.</source>
        <translation>Единственное лицо в кадре не движется: похоже, это изображение.</translation>
    </message>
    <message>
        <source>The camera&apos;s picture is turned: a face lies in it.</source>
        <translation>Изображение камеры повёрнуто: лицо в кадре лежит на боку или вверх ногами.</translation>
    </message>
    <message>
        <source>This could not be looked for on this computer.</source>
        <translation>Поискать это на этом компьютере не удалось.</translation>
    </message>
    <message>
        <source>Connect one, or choose a video file, a folder of pictures or an address.</source>
        <translation>Подключите её или выберите видеофайл, папку с изображениями или адрес.</translation>
    </message>
    <message>
        <source>Write http:// before it, or rtsp:// for a camera of that kind.</source>
        <translation>Допишите перед ним http://, а для камеры RTSP — rtsp://.</translation>
    </message>
    <message>
        <source>Choose another camera, or another output.</source>
        <translation>Выберите другую камеру или другое место отправки.</translation>
    </message>
    <message>
        <source>Write it as #rrggbb, such as #203040.</source>
        <translation>Запишите его как #rrggbb, например #203040.</translation>
    </message>
    <message>
        <source>Choose a JPEG or PNG file, a colour such as #203040, &quot;photo&quot; or &quot;blur&quot;.</source>
        <translation>Выберите файл JPEG или PNG, цвет, например #203040, фон с фото или размытие.</translation>
    </message>
    <message>
        <source>Install OBS Studio (https://obsproject.com) and start its virtual camera once, or install Unity Capture.</source>
        <translation>Установите OBS Studio (https://obsproject.com) и один раз запустите её виртуальную камеру или установите Unity Capture.</translation>
    </message>
    <message>
        <source>Install OBS Studio 30 or newer (https://obsproject.com), start its virtual camera once and allow it in the system settings.</source>
        <translation>Установите OBS Studio 30 или новее (https://obsproject.com), один раз запустите её виртуальную камеру и разрешите её в настройках системы.</translation>
    </message>
    <message>
        <source>Turn the camera off in the call and on again, or choose that size.</source>
        <translation>Выключите и снова включите камеру в звонке или выберите тот же размер.</translation>
    </message>
    <message>
        <source>Run `sudo modprobe -r v4l2loopback`, load it again and retry; `doctor` says more.</source>
        <translation>Выполните `sudo modprobe -r v4l2loopback`, загрузите модуль снова и повторите; подробнее скажет `doctor`.</translation>
    </message>
    <message>
        <source>Load the kernel module again, or choose another output.</source>
        <translation>Загрузите модуль ядра снова или выберите другое место отправки.</translation>
    </message>
    <message>
        <source>Run `pip install pyvirtualcam`.</source>
        <translation>Выполните `pip install pyvirtualcam`.</translation>
    </message>
    <message>
        <source>Open it again.</source>
        <translation>Откройте её снова.</translation>
    </message>
    <message>
        <source>Run `systemctl --user start pipewire wireplumber`.</source>
        <translation>Выполните `systemctl --user start pipewire wireplumber`.</translation>
    </message>
    <message>
        <source>The PipeWire camera has stopped.</source>
        <translation>Камера PipeWire остановилась.</translation>
    </message>
    <message>
        <source>PipeWire cameras exist only on Linux.</source>
        <translation>Камеры PipeWire есть только в Linux.</translation>
    </message>
    <message>
        <source>Choose the output virtual-camera.</source>
        <translation>Выберите, куда отправлять: «Виртуальная камера».</translation>
    </message>
    <message>
        <source>PipeWire does not run in this session.</source>
        <translation>PipeWire не запущен в этом сеансе.</translation>
    </message>
    <message>
        <source>PipeWire has stopped.</source>
        <translation>PipeWire остановился.</translation>
    </message>
    <message>
        <source>A program that shows it may hang: choose the camera there again.</source>
        <translation>Возможно, зависла программа, которая её показывает: выберите камеру в ней снова.</translation>
    </message>
    <message>
        <source>Run `sudo usermod -aG video $USER`, then log out and in again.</source>
        <translation>Выполните `sudo usermod -aG video $USER`, затем выйдите из системы и войдите снова.</translation>
    </message>
    <message>
        <source>There is no virtual camera on this computer.</source>
        <translation>На этом компьютере нет виртуальной камеры.</translation>
    </message>
    <message>
        <source>Check the folder&apos;s permissions.</source>
        <translation>Проверьте права доступа к папке.</translation>
    </message>
    <message>
        <source>The setup was not allowed.</source>
        <translation>Настройка не была разрешена.</translation>
    </message>
    <message>
        <source>Try again, or copy the command and run it yourself.</source>
        <translation>Попробуйте снова или скопируйте команду и выполните её сами.</translation>
    </message>
    <message>
        <source>Copy the command and run it in a terminal.</source>
        <translation>Скопируйте команду и выполните её в терминале.</translation>
    </message>
    <message>
        <source>Create it first, or name another.</source>
        <translation>Сначала создайте её или укажите другую.</translation>
    </message>
    <message>
        <source>Name a folder of yours.</source>
        <translation>Укажите свою папку.</translation>
    </message>
    <message>
        <source>It must be a video such as .mp4, .mov, .webm or .gif; copy or convert it again.</source>
        <translation>Нужно видео, например .mp4, .mov, .webm или .gif; скопируйте или преобразуйте его заново.</translation>
    </message>
    <message>
        <source>Convert it to MP4 or GIF.</source>
        <translation>Преобразуйте её в MP4 или GIF.</translation>
    </message>
    <message>
        <source>Choose a file with moving pictures.</source>
        <translation>Выберите файл с видео.</translation>
    </message>
    <message>
        <source>Copy or convert it again.</source>
        <translation>Скопируйте или преобразуйте его заново.</translation>
    </message>
    <message>
        <source>Copy it again, or cut it there.</source>
        <translation>Скопируйте его заново или обрежьте в этом месте.</translation>
    </message>
    <message>
        <source>Name another one; nothing is overwritten.</source>
        <translation>Укажите другой; ничего не перезаписывается.</translation>
    </message>
    <message>
        <source>Check both in the address.</source>
        <translation>Проверьте их в адресе.</translation>
    </message>
    <message>
        <source>Use that address.</source>
        <translation>Используйте этот адрес.</translation>
    </message>
    <message>
        <source>PyTorch no longer supports this card; the processor is used.</source>
        <translation>PyTorch больше не поддерживает эту видеокарту; используется процессор.</translation>
    </message>
    <message>
        <source>Restart the computer; if that does not help, install the NVIDIA driver again.</source>
        <translation>Перезагрузите компьютер; если не поможет, установите драйвер NVIDIA заново.</translation>
    </message>
    <message>
        <source>Set XDG_RUNTIME_DIR to a folder of your own; without one the app cannot be controlled.</source>
        <translation>Укажите в XDG_RUNTIME_DIR папку, которая принадлежит вам: без неё программой нельзя управлять извне.</translation>
    </message>
    <message>
        <source>Without it the app cannot be controlled.</source>
        <translation>Без неё программой нельзя управлять извне.</translation>
    </message>
    <message>
        <source>The app is running already.</source>
        <translation>Программа уже запущена.</translation>
    </message>
    <message>
        <source>Use the running one, or quit it first.</source>
        <translation>Используйте запущенную программу или сначала закройте её.</translation>
    </message>
    <message>
        <source>Graphics card</source>
        <translation>Видеокарта</translation>
    </message>
    <message>
        <source>Models</source>
        <translation>Модели</translation>
    </message>
    <message>
        <source>Cameras</source>
        <translation>Камеры</translation>
    </message>
    <message>
        <source>Virtual camera</source>
        <translation>Виртуальная камера</translation>
    </message>
    <message>
        <source>Running app</source>
        <translation>Запущенная программа</translation>
    </message>
    <message>
        <source>Hotkeys</source>
        <translation>Горячие клавиши</translation>
    </message>
    <message>
        <source>Speed</source>
        <translation>Скорость</translation>
    </message>
    <message>
        <source>Install the app again, with the versions in requirements.txt.</source>
        <translation>Установите программу заново, с версиями из requirements.txt.</translation>
    </message>
    <message>
        <source>Install NVIDIA&apos;s driver, restart the computer and run `doctor` again.</source>
        <translation>Установите драйвер NVIDIA, перезагрузите компьютер и снова запустите `doctor`.</translation>
    </message>
    <message>
        <source>An NVIDIA card is there, but its driver is not.</source>
        <translation>Видеокарта NVIDIA есть, а драйвера для неё нет.</translation>
    </message>
    <message>
        <source>Graphics cards are numbered from cuda:0.</source>
        <translation>Видеокарты нумеруются с cuda:0.</translation>
    </message>
    <message>
        <source>Connect one; see that no privacy switch is on.</source>
        <translation>Подключите камеру; проверьте, не закрыта ли она шторкой и не выключена ли кнопкой.</translation>
    </message>
    <message>
        <source>Allow this program the camera in System Settings, Privacy &amp; Security.</source>
        <translation>Разрешите этой программе доступ к камере: «Системные настройки», «Конфиденциальность и безопасность».</translation>
    </message>
    <message>
        <source>If that is another program, close the camera there.</source>
        <translation>Если это другая программа, выключите камеру в ней.</translation>
    </message>
    <message>
        <source>The library pyvirtualcam is not installed.</source>
        <translation>Библиотека pyvirtualcam не установлена.</translation>
    </message>
    <message>
        <source>A camera can be published; browsers and Flatpak programs see it.</source>
        <translation>Камеру можно опубликовать; её видят браузеры и программы из Flatpak.</translation>
    </message>
    <message>
        <source>Try again.</source>
        <translation>Попробуйте ещё раз.</translation>
    </message>
    <message>
        <source>It is not running now.</source>
        <translation>Сейчас не запущена.</translation>
    </message>
    <message>
        <source>It is running; the camera, the speed and the hotkeys are shared with it.</source>
        <translation>Запущена; камера, скорость и горячие клавиши у неё и у этой проверки общие.</translation>
    </message>
    <message>
        <source>Try again; if that does not help, quit it and start it again.</source>
        <translation>Попробуйте ещё раз; если не поможет, завершите её и запустите снова.</translation>
    </message>
    <message>
        <source>The running app gave an answer that makes no sense.</source>
        <translation>Запущенная программа дала непонятный ответ.</translation>
    </message>
    <message>
        <source>It may be another version: quit it and start it again.</source>
        <translation>Возможно, это другая версия: завершите её и запустите снова.</translation>
    </message>
    <message>
        <source>Not measured.</source>
        <translation>Не измерялась.</translation>
    </message>
    <message>
        <source>Close other programs that keep the processor busy.</source>
        <translation>Закройте другие программы, которые нагружают процессор.</translation>
    </message>
    <message>
        <source>Choose the model lite, or close other programs that keep the processor busy.</source>
        <translation>Выберите модель lite или закройте другие программы, которые нагружают процессор.</translation>
    </message>
    <message>
        <source>No face was found in the clip that comes with the app.</source>
        <translation>В ролике, который идёт с программой, не найдено лицо.</translation>
    </message>
    <message>
        <source>Check the models: `models verify faces`.</source>
        <translation>Проверьте модели: `models verify faces`.</translation>
    </message>
    <message>
        <source>Write it like Ctrl+Alt+X or Ctrl+Shift+F5.</source>
        <translation>Пишите так: Ctrl+Alt+X или Ctrl+Shift+F5.</translation>
    </message>
    <message>
        <source>Add Ctrl, Alt or Meta to it.</source>
        <translation>Добавьте к ней Ctrl, Alt или Meta.</translation>
    </message>
    <message>
        <source>Wayland has no hotkeys for programs like this.</source>
        <translation>В Wayland у таких программ нет горячих клавиш.</translation>
    </message>
    <message>
        <source>There is no display for hotkeys (DISPLAY is not set).</source>
        <translation>Нет дисплея для горячих клавиш (DISPLAY не задан).</translation>
    </message>
    <message>
        <source>In a Wayland session hotkeys work only while an X11 window has the focus.</source>
        <translation>В сеансе Wayland горячие клавиши работают, только когда активно окно X11.</translation>
    </message>
    <message>
        <source>Hotkeys need python-xlib, which is not installed.</source>
        <translation>Для горячих клавиш нужен python-xlib, а он не установлен.</translation>
    </message>
    <message>
        <source>Install it with: pip install python-xlib.</source>
        <translation>Установите его так: pip install python-xlib.</translation>
    </message>
</context>
<context>
    <name>MicrophoneChooser</name>
    <message>
        <source>Microphone</source>
        <translation>Микрофон</translation>
    </message>
    <message>
        <source>Its sound goes into your recordings, in time with the avatar.</source>
        <translation>Его звук попадает в ваши записи, синхронно с аватаром.</translation>
    </message>
    <message>
        <source>Look for microphones again</source>
        <translation>Найти микрофоны заново</translation>
    </message>
    <message>
        <source>Pass the sound to calls</source>
        <translation>Передавать звук в звонок</translation>
    </message>
    <message>
        <source>No sound</source>
        <translation>Без звука</translation>
    </message>
    <message>
        <source>Default microphone</source>
        <translation>Микрофон по умолчанию</translation>
    </message>
    <message>
        <source>Choose “Avatar Microphone” in the call. Others then hear you as late as they see the avatar.</source>
        <translation>Выберите в звонке микрофон «Avatar Microphone»: собеседники услышат вас с той же задержкой, с какой видят аватар.</translation>
    </message>
</context>
<context>
    <name>ModelChooser</name>
    <message>
        <source>Model</source>
        <translation>Модель</translation>
    </message>
    <message>
        <source>Larger models look better and need more of the computer.</source>
        <translation>Большие модели выглядят лучше и сильнее нагружают компьютер.</translation>
    </message>
    <message>
        <source>Run on</source>
        <translation>Устройство</translation>
    </message>
    <message>
        <source>Auto takes the graphics card where there is one that can be used.</source>
        <translation>«Авто» выбирает видеокарту, если ею можно пользоваться.</translation>
    </message>
    <message>
        <source>Use my NVIDIA card...</source>
        <translation>Использовать видеокарту NVIDIA...</translation>
    </message>
    <message>
        <source>Downloads what your card needs, or removes it again.</source>
        <translation>Скачивает то, что нужно видеокарте, или удаляет это.</translation>
    </message>
    <message>
        <source>Auto</source>
        <translation>Авто</translation>
    </message>
    <message>
        <source>Processor</source>
        <translation>Процессор</translation>
    </message>
    <message>
        <source>Graphics card</source>
        <translation>Видеокарта</translation>
    </message>
    <message>
        <source>Other computer ({0})</source>
        <translation>Другой компьютер ({0})</translation>
    </message>
    <message>
        <source>Another computer...</source>
        <translation>Другой компьютер...</translation>
    </message>
    <message>
        <source>No graphics card: {0}.</source>
        <translation>Видеокарта недоступна: {0}.</translation>
    </message>
    <message>
        <source>{0} is not connected. Until it is, this computer makes the pictures.</source>
        <translation>Нет связи с {0}. Пока её нет, картинку создаёт этот компьютер.</translation>
    </message>
    <message>
        <source>{0} is connected.</source>
        <translation>Есть связь с {0}.</translation>
    </message>
    <message>
        <source>{0} is connected: {1} ms there and back, {2} Mbit/s.</source>
        <translation>Есть связь с {0}: {1} мс туда и обратно, {2} Мбит/с.</translation>
    </message>
    <message>
        <source>Another computer</source>
        <translation>Другой компьютер</translation>
    </message>
    <message>
        <source>Start `avatar-app serve --listen 0.0.0.0` on the other computer, and paste the line that it prints:</source>
        <translation>Запустите на другом компьютере `avatar-app serve --listen 0.0.0.0` и вставьте строку, которую он выведет:</translation>
    </message>
</context>
<context>
    <name>Notices</name>
    <message>
        <source>Try again</source>
        <translation>Попробовать снова</translation>
    </message>
    <message>
        <source>Choose a camera</source>
        <translation>Выбрать камеру</translation>
    </message>
    <message>
        <source>Choose a photo</source>
        <translation>Выбрать фото</translation>
    </message>
    <message>
        <source>Choose an output</source>
        <translation>Выбрать, куда отправлять</translation>
    </message>
    <message>
        <source>Choose a microphone</source>
        <translation>Выбрать микрофон</translation>
    </message>
    <message>
        <source>Choose a model</source>
        <translation>Выбрать модель</translation>
    </message>
    <message>
        <source>Calibrate</source>
        <translation>Откалибровать</translation>
    </message>
    <message>
        <source>Resume</source>
        <translation>Продолжить</translation>
    </message>
    <message>
        <source>Check this computer</source>
        <translation>Проверить компьютер</translation>
    </message>
    <message>
        <source>Turn the picture</source>
        <translation>Повернуть изображение</translation>
    </message>
</context>
<context>
    <name>OutputChooser</name>
    <message>
        <source>Output</source>
        <translation>Куда отправлять</translation>
    </message>
    <message>
        <source>How other programs get the avatar.</source>
        <translation>Как другие программы получают аватар.</translation>
    </message>
    <message>
        <source>Look for virtual cameras again</source>
        <translation>Обновить список виртуальных камер</translation>
    </message>
    <message>
        <source>Virtual camera</source>
        <translation>Виртуальная камера</translation>
    </message>
    <message>
        <source>Fix...</source>
        <translation>Исправить...</translation>
    </message>
    <message>
        <source>Shows how to set up the virtual camera.</source>
        <translation>Показывает, как настроить виртуальную камеру.</translation>
    </message>
    <message>
        <source>Default virtual camera</source>
        <translation>Виртуальная по умолчанию</translation>
    </message>
</context>
<context>
    <name>OutputView</name>
    <message>
        <source>Others see your real face</source>
        <translation>Другие видят ваше настоящее лицо</translation>
    </message>
</context>
<context>
    <name>Outputs</name>
    <message>
        <source>None (preview only)</source>
        <translation>Нет (только предпросмотр)</translation>
    </message>
    <message>
        <source>Virtual camera</source>
        <translation>Виртуальная камера</translation>
    </message>
    <message>
        <source>PipeWire camera</source>
        <translation>Камера PipeWire</translation>
    </message>
</context>
<context>
    <name>PictureArea</name>
    <message>
        <source>What others see</source>
        <translation>Что видят другие</translation>
    </message>
    <message>
        <source>Your camera</source>
        <translation>Ваша камера</translation>
    </message>
    <message>
        <source>You</source>
        <translation>Вы</translation>
    </message>
    <message>
        <source>You · no face seen</source>
        <translation>Вы · лица не видно</translation>
    </message>
    <message>
        <source>Others see</source>
        <translation>Видят другие</translation>
    </message>
    <message>
        <source>Your camera, only on this screen</source>
        <translation>Ваша камера, только на этом экране</translation>
    </message>
    <message>
        <source>Click to swap the pictures, drag to move this one</source>
        <translation>Щёлкните, чтобы поменять изображения местами; перетащите, чтобы подвинуть</translation>
    </message>
    <message>
        <source>●  Calibrated with another photo · Refine</source>
        <translation>●  Калибровка с другого фото · Уточнить</translation>
    </message>
    <message>
        <source>●  Calibrated · Redo</source>
        <translation>●  Откалибровано · Повторить</translation>
    </message>
    <message>
        <source>Look like the photo when the countdown ends</source>
        <translation>К концу отсчёта примите позу с фото</translation>
    </message>
</context>
<context>
    <name>Presenter</name>
    <message>
        <source>Waiting for the camera...</source>
        <translation>Ожидание камеры...</translation>
    </message>
    <message>
        <source>Getting ready...</source>
        <translation>Подготовка...</translation>
    </message>
</context>
<context>
    <name>QuitQuestion</name>
    <message>
        <source>Quit</source>
        <translation>Выйти</translation>
    </message>
    <message>
        <source>Quit while others see your avatar?</source>
        <translation>Выйти, пока другие видят ваш аватар?</translation>
    </message>
    <message>
        <source>The camera in the call goes black or freezes.</source>
        <translation>Изображение в звонке погаснет или замрёт.</translation>
    </message>
    <message>
        <source>Do not ask again</source>
        <translation>Больше не спрашивать</translation>
    </message>
</context>
<context>
    <name>RealFace</name>
    <message>
        <source>Show my real face</source>
        <translation>Показать моё лицо</translation>
    </message>
    <message>
        <source>Show others your real face?</source>
        <translation>Показать другим ваше настоящее лицо?</translation>
    </message>
    <message>
        <source>Others then see your camera&apos;s picture instead of the avatar, until you press the key again, pause, choose an avatar or quit the app.</source>
        <translation>Тогда другие увидят изображение с камеры вместо аватара, пока вы снова не нажмёте клавишу, не включите паузу, не выберете аватар или не выйдете из программы.</translation>
    </message>
    <message>
        <source>Show my face</source>
        <translation>Показать лицо</translation>
    </message>
</context>
<context>
    <name>SettingsDialog</name>
    <message>
        <source>Preferences</source>
        <translation>Настройки</translation>
    </message>
    <message>
        <source>Language</source>
        <translation>Язык</translation>
    </message>
    <message>
        <source>Theme</source>
        <translation>Тема</translation>
    </message>
    <message>
        <source>Icon in the system tray</source>
        <translation>Значок в области уведомлений</translation>
    </message>
    <message>
        <source>Use these keys also while another window is in front</source>
        <translation>Реагировать на эти клавиши в других окнах</translation>
    </message>
    <message>
        <source>Ask before quitting while others see the avatar</source>
        <translation>Спрашивать перед выходом, пока другие видят аватар</translation>
    </message>
    <message>
        <source>Start when I log in</source>
        <translation>Запускать при входе в систему</translation>
    </message>
    <message>
        <source>Start minimised</source>
        <translation>Запускать свёрнутым</translation>
    </message>
    <message>
        <source>Turn the camera off while nobody watches</source>
        <translation>Выключать камеру, пока никто не смотрит</translation>
    </message>
    <message>
        <source>While this window is minimised and no call shows the avatar, the camera is off and the app rests.</source>
        <translation>Пока окно свёрнуто и аватара никто не видит, камера выключена, а программа почти не нагружает компьютер.</translation>
    </message>
    <message>
        <source>Shortcuts</source>
        <translation>Горячие клавиши</translation>
    </message>
    <message>
        <source>Global shortcuts</source>
        <translation>Глобальные клавиши</translation>
    </message>
    <message>
        <source>{key} cannot be a global shortcut. Use a letter, a digit or a named key with Ctrl, Alt or Meta.</source>
        <translation>Клавиша {key} не может быть глобальной. Возьмите букву, цифру или именованную клавишу вместе с Ctrl, Alt или Meta.</translation>
    </message>
    <message>
        <source>{key} is the shortcut of both “{one}” and “{other}”.</source>
        <translation>Клавиша {key} назначена и «{one}», и «{other}».</translation>
    </message>
    <message>
        <source>Same as system</source>
        <translation>Как в системе</translation>
    </message>
    <message>
        <source>Save to</source>
        <translation>Сохранять в</translation>
    </message>
    <message>
        <source>Click a field and press the new key. These keys work while this window is in front.</source>
        <translation>Щёлкните поле и нажмите новую клавишу. Эти клавиши работают, пока окно на переднем плане.</translation>
    </message>
    <message>
        <source>Reset all shortcuts</source>
        <translation>Сбросить все клавиши</translation>
    </message>
    <message>
        <source>These keys work while the call is in front. Where the desktop allows none, set keys in the desktop&apos;s own settings for commands such as “control recalibrate”.</source>
        <translation>Эти клавиши работают, пока на переднем плане звонок. Если рабочая среда их не разрешает, назначьте в её настройках клавиши для команд вроде «control recalibrate».</translation>
    </message>
    <message>
        <source>Your desktop may ask you to confirm these keys; its settings can change them.</source>
        <translation>Рабочая среда может попросить подтвердить эти клавиши; изменить их можно в её настройках.</translation>
    </message>
    <message>
        <source>General</source>
        <translation>Общие</translation>
    </message>
    <message>
        <source>Save</source>
        <translation>Сохранить</translation>
    </message>
    <message>
        <source>{key} is the key of more than one action: {actions}.</source>
        <translation>Клавиша {key} назначена нескольким действиям: {actions}.</translation>
    </message>
    <message>
        <source>“{name}”</source>
        <translation>«{name}»</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>Светлая</translation>
    </message>
    <message>
        <source>Dark</source>
        <translation>Тёмная</translation>
    </message>
</context>
<context>
    <name>SourceChooser</name>
    <message>
        <source>Camera</source>
        <translation>Камера</translation>
    </message>
    <message>
        <source>The camera that watches your face.</source>
        <translation>Камера, которая следит за вашим лицом.</translation>
    </message>
    <message>
        <source>Look for cameras again</source>
        <translation>Обновить список камер</translation>
    </message>
    <message>
        <source>Default camera</source>
        <translation>Камера по умолчанию</translation>
    </message>
    <message>
        <source>Video file...</source>
        <translation>Видеофайл...</translation>
    </message>
    <message>
        <source>Address (URL)...</source>
        <translation>Адрес (URL)...</translation>
    </message>
    <message>
        <source>Looking for cameras...</source>
        <translation>Поиск камер...</translation>
    </message>
    <message>
        <source>No camera was found. Connect one and look again, or use a file.</source>
        <translation>Камера не найдена. Подключите её и повторите поиск или используйте файл.</translation>
    </message>
    <message>
        <source>A video instead of the camera</source>
        <translation>Видео вместо камеры</translation>
    </message>
    <message>
        <source>Network camera</source>
        <translation>Сетевая камера</translation>
    </message>
    <message>
        <source>Address, such as http://192.168.1.20:8080/video:</source>
        <translation>Адрес, например http://192.168.1.20:8080/video:</translation>
    </message>
</context>
<context>
    <name>Statistics</name>
    <message>
        <source>camera {0:.0f} fps</source>
        <translation>камера {0:.0f} кадр/с</translation>
    </message>
    <message>
        <source>avatar {0:.0f} fps, {1:.0f} ms each</source>
        <translation>аватар {0:.0f} кадр/с, по {1:.0f} мс</translation>
    </message>
    <message>
        <source>sent {0:.0f} fps</source>
        <translation>отправлено {0:.0f} кадр/с</translation>
    </message>
    <message>
        <source>latency {0:.0f} ms, 95 %: {1:.0f} ms</source>
        <translation>задержка {0:.0f} мс, 95 %: {1:.0f} мс</translation>
    </message>
    <message>
        <source>dropped {0}, repeated {1}</source>
        <translation>пропущено {0}, повторено {1}</translation>
    </message>
</context>
<context>
    <name>ToolBar</name>
    <message>
        <source>Resume</source>
        <translation>Продолжить</translation>
    </message>
    <message>
        <source>Pause</source>
        <translation>Пауза</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>Стоп</translation>
    </message>
    <message>
        <source>Record</source>
        <translation>Запись</translation>
    </message>
    <message>
        <source>Photo</source>
        <translation>Снимок</translation>
    </message>
    <message>
        <source>Background</source>
        <translation>Фон</translation>
    </message>
    <message>
        <source>Expression</source>
        <translation>Мимика</translation>
    </message>
    <message>
        <source>Full screen</source>
        <translation>Во весь экран</translation>
    </message>
    <message>
        <source>Others see a still card during a pause</source>
        <translation>Во время паузы другие видят заставку</translation>
    </message>
    <message>
        <source>Record what others see</source>
        <translation>Записать то, что видят другие</translation>
    </message>
    <message>
        <source>Save what others see as a picture</source>
        <translation>Сохранить то, что видят другие, как изображение</translation>
    </message>
    <message>
        <source>What is behind the avatar</source>
        <translation>Что находится за аватаром</translation>
    </message>
    <message>
        <source>Have the avatar smile, wink and more for a moment</source>
        <translation>Аватар на мгновение улыбнётся, подмигнёт и не только</translation>
    </message>
    <message>
        <source>Only the picture, on the whole screen</source>
        <translation>Только изображение, на весь экран</translation>
    </message>
</context>
<context>
    <name>Tray</name>
    <message>
        <source>Show the window</source>
        <translation>Показать окно</translation>
    </message>
    <message>
        <source>Next avatar</source>
        <translation>Следующий аватар</translation>
    </message>
    <message>
        <source>Pause</source>
        <translation>Пауза</translation>
    </message>
    <message>
        <source>Resume</source>
        <translation>Продолжить</translation>
    </message>
    <message>
        <source>Recalibrate</source>
        <translation>Откалибровать заново</translation>
    </message>
    <message>
        <source>Quit</source>
        <translation>Выйти</translation>
    </message>
    <message>
        <source>Avatar</source>
        <translation>Аватар</translation>
    </message>
</context>
</TS>
